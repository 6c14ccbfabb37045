#!/bin/sh
# The Core Test Harness on this machine, your tests against it, and nothing of it left behind.
#
#   sh docs/ci/harness.sh COMMAND…      from a checkout that ./install.sh has been run in
#
# Ends with the status of what failed first: 3 where the machine is not fit, 5 where a stage failed,
# else that of COMMAND. What to keep lies in ./results: two reports for the CI (JUnit), the record of
# the run, and a support bundle where it failed.
set -eu

results=${RESULTS:-$PWD/results}
by=${CI_PIPELINE_ID:-${GITHUB_RUN_ID:-by hand}}
PATH=$(cd -- "$(dirname -- "$0")/../.." && pwd -P)/.venv/bin:$PATH
export PATH
mkdir -p "$results"

end() {
    status=$?
    trap - EXIT INT TERM
    sitewright report --format junit --output "$results/installed.xml" --overwrite || true
    [ "$status" = 0 ] || sitewright support-bundle --output "$results/support.tar.gz" || true
    sitewright remove --solution core-test-harness --with-data --yes --by "CI $by" || true
    exit "$status"
}

sitewright preflight --solution core-test-harness --environment single-box \
    --format junit --output "$results/preflight.xml" --overwrite local
trap end EXIT
trap 'exit 130' INT TERM
sitewright install --solution core-test-harness --yes --by "CI $by" --json-lines \
    >"$results/events.jsonl"
sitewright verify --solution core-test-harness --by "CI $by"
"$@"
