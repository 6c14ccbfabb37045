#!/bin/sh
# Make the lock files anew from pyproject.toml: every version with the hashes of its files.
# Needs uv (pip install uv). Commit what changes.
set -eu
cd "$(dirname "$0")"
common="--universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet"
# shellcheck disable=SC2086 # the options are meant to be split
uv pip compile $common --group build pyproject.toml -o requirements.lock
# shellcheck disable=SC2086
uv pip compile $common --group build --group dev pyproject.toml -o requirements-dev.lock
