#!/usr/bin/env bash
# Set up and pass every test: lint, types, import contracts, unit tests, and the lab.
#
#   tests/run.sh            all of it; a real Kubernetes and OpenTofu are compiled for the lab meanwhile
#   tests/run.sh unit       pure and small tests (some seventy seconds once set up)
#   tests/run.sh processes  the wizard's screens, and tests that start and kill whole processes
#   tests/run.sh lab        the lab alone
#   tests/run.sh static     lint, types and contracts alone
#
# It needs Python 3.11 or newer. As root on Debian or Ubuntu it installs the Debian packages that
# the tests use; elsewhere it says which are missing and the lab is skipped with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
venv=${SITEWRIGHT_TEST_VENV:-$PWD/.venv-test}

step() { printf '\n== %s\n' "$*"; }

python=
for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' >/dev/null 2>&1; then
        python=$name
        break
    fi
done
[ -n "$python" ] || { echo "tests/run.sh needs Python 3.11 or newer" >&2; exit 2; }

step "packages of the system"
# The lab's own list, and what the unit tests drive for real: sshd, terminals, other shells.
packages="$("$python" -m tests.lab packages | tr '\n' ' ') openssh-server tmux busybox tcsh fish zsh ksh shellcheck python3-venv docker-registry skopeo apache2-utils apt-utils gnupg git containerd etcd-server nginx libnginx-mod-stream"
missing=
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of names
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "not installed:$missing"
    fi
fi

step "environment $venv"
stamp=$(cat requirements-dev.lock pyproject.toml | cksum)
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
    echo "$stamp" >"$venv/.stamp"
fi
export PATH="$venv/bin:$PATH"
# What Python compiles is kept, beside the environment and out of the tree: the thousands of
# processes that the tests start would each compile all modules again, which takes longer than most
# of them run.
unset PYTHONDONTWRITEBYTECODE
PYTHONPYCACHEPREFIX=$(cd "$venv" && pwd)/.compiled
export PYTHONPYCACHEPREFIX

# A real Kubernetes, then OpenTofu, is compiled beside all, where none is kept; the lab's tests wait
# for them. The lab itself is not run beside the rest: on two cores it gains nothing, and what waits
# for a screen or a machine loses its patience.
compiling=
trap '[ -z "$compiling" ] || kill -- "-$compiling" 2>/dev/null || true' EXIT
if { [ "$what" = all ] || [ "$what" = lab ]; } && [ "$(id -u)" = 0 ]; then
    # In a group of its own, to be ended whole; what it says it says again where it fails.
    setsid nice -n 19 sh -c 'python -m tests.lab kubernetes; python -m tests.lab opentofu' \
        >/dev/null 2>&1 &
    compiling=$!
fi

if [ "$what" = all ] || [ "$what" = unit ]; then
    step "unit tests"
    # What draws snapshots of screens is left out: it loads all of Textual, three times.
    pytest -p no:textual-snapshot --part unit -m "not lab and not processes and not screens" -n 2 --dist loadfile
fi
if [ "$what" = all ] || [ "$what" = static ]; then
    step "lint"
    ruff check .
    ruff format --check .
    shellcheck install.sh lock.sh tests/run.sh .ci/run preflight/probe.sh bundles/sources/install.sh
    step "types"
    mypy
    step "import contracts"
    lint-imports
fi
if [ "$what" = all ] || [ "$what" = processes ]; then
    step "screens, and whole processes"
    pytest --part processes -m "(processes or screens) and not lab" -n 2 --dist loadfile
fi
if [ "$what" = all ] || [ "$what" = lab ]; then
    step "the lab (its images are built once and kept in the cache folder)"
    [ "$(id -u)" != 0 ] || python -m tests.lab build
    # Three labs side by side: a good part of a lab test is waiting. What belongs together, and what
    # begins first, is said in tests/conftest.py.
    pytest --part lab -m lab -n 3 --dist loadfile --no-loadscope-reorder
fi
