#!/bin/sh
# Install Sitewright into a private virtual environment and start it.
#
#   ./install.sh                 the wizard on a terminal, else the preflight of this machine
#   ./install.sh preflight …     any command of sitewright, arguments passed through
#
# Needs Python 3.11 or newer with venv; needs no root. It can be run again: what is up to date is
# left alone. In a checkout the environment is .venv beside this file; where that folder may not be
# written, it is under $XDG_DATA_HOME/sitewright (~/.local/share/sitewright).
# SITEWRIGHT_PYTHON names a Python to use; SITEWRIGHT_VENV names another place.
set -eu

say() { printf '%s\n' "$*" >&2; }
fail() { # what, why, what to do
    say ""
    say "Sitewright cannot be installed: $1"
    [ -z "${2-}" ] || say "  Why: $2"
    [ -z "${3-}" ] || say "  Do:  $3"
    exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1

# The release of this system decides which command is advised.
os_id=unknown os_version=
if [ -r /etc/os-release ]; then
    os_id=$(sed -n 's/^ID=//p' /etc/os-release | tr -d '"' | head -n 1)
    os_version=$(sed -n 's/^VERSION_ID=//p' /etc/os-release | tr -d '"' | head -n 1)
fi
if [ "$(id -u)" = 0 ]; then sudo_word=""; else sudo_word="sudo "; fi

advice() { # the command that brings a Python with venv on this system
    case "$os_id:$os_version" in
    ubuntu:22.*) echo "${sudo_word}apt-get update && ${sudo_word}apt-get install -y python3.11 python3.11-venv" ;;
    ubuntu:* | debian:* | *:*) if command -v apt-get >/dev/null 2>&1; then
        echo "${sudo_word}apt-get update && ${sudo_word}apt-get install -y python3 python3-venv"
    elif command -v dnf >/dev/null 2>&1; then
        echo "${sudo_word}dnf install -y python3.12"
    else
        echo "install Python 3.11 or newer, then run this again"
    fi ;;
    esac
}

offer() { # a command that brings what is missing, run if a person at a terminal says so
    [ -t 0 ] && [ -t 2 ] || return 1
    say ""
    say "Something is missing: $1. This brings it:"
    say "  $2"
    printf 'Run it now? y or n: ' >&2
    read -r answer || return 1
    case $answer in
    [yY] | [yY][eE][sS]) ;;
    *)
        say "It was not run."
        return 1
        ;;
    esac
    sh -c "$2" >&2 && return 0
    say ""
    say "That command failed; its own lines above say why. Mend that first (the way to"
    say "the package sources, the disk, another apt that runs), and run this again."
    exit 1
}

# A Python is known by running it: a name on the path may be a shim that only prints an error.
usable() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) or sys.maxsize < 2**32)' \
        >/dev/null 2>&1
}

python=
if [ -n "${SITEWRIGHT_PYTHON-}" ]; then
    usable "$SITEWRIGHT_PYTHON" || fail "SITEWRIGHT_PYTHON is not a Python 3.11 or newer" \
        "$SITEWRIGHT_PYTHON does not run, or is older." "unset it, or name another."
    python=$SITEWRIGHT_PYTHON
else
    for name in python3 python3.14 python3.13 python3.12 python3.11 \
        /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
        /usr/local/bin/python3; do
        if usable "$name"; then
            python=$name
            break
        fi
    done
fi
if [ -z "$python" ] && command -v apt-get >/dev/null 2>&1 &&
    offer "no Python 3.11 or newer was found" "$(advice)"; then
    for name in python3 python3.12 python3.11; do
        if usable "$name"; then
            python=$name
            break
        fi
    done
fi
[ -n "$python" ] || fail "no Python 3.11 or newer was found" \
    "this system offers $(python3 --version 2>/dev/null || echo 'no Python at all')." "$(advice)"

# Where the environment goes.
if [ -n "${SITEWRIGHT_VENV-}" ]; then
    venv=$SITEWRIGHT_VENV
elif [ -w "$here" ]; then
    venv=$here/.venv
else
    venv=${XDG_DATA_HOME:-${HOME:?}/.local/share}/sitewright/venv
fi
mkdir -p "$(dirname -- "$venv")"

# What is installed is told by a stamp of everything that went in; equal stamps mean nothing to do.
version=$("$python" -I -c 'import sys; print(sys.version, sys.executable)')
stamp=$({
    printf '%s\n' "$version" "$here" "$venv"
    cat "$here/requirements.lock" "$here/pyproject.toml" "$here/foundation/version.py"
} | cksum)
installed() { [ -x "$venv/bin/sitewright" ] && [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ]; }

log=$venv.log.$$ old=$venv.old.$$
begun=
restore() { # an installation that did not end well leaves what was there before it
    rm -f -- "$log"
    [ -z "$begun" ] || rm -rf -- "$venv"
    [ ! -e "$old" ] || mv -- "$old" "$venv"
}
free() { # whether the place is empty, or what is there was made by us and may be replaced
    if [ ! -e "$venv" ] && [ ! -L "$venv" ] || [ -f "$venv/.stamp" ]; then return 0; fi
    if [ -z "${SITEWRIGHT_VENV-}" ] && [ -f "$venv/pyvenv.cfg" ]; then return 0; fi
    rmdir -- "$venv" 2>/dev/null
}
last_lines() { tail -n 8 "$log" | sed 's/^/  /' >&2; }

has_venv() { "$python" -I -c 'import venv, ensurepip' >/dev/null 2>&1; }

install() {
    if ! has_venv; then
        minor=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        remedy=$(advice)
        if command -v apt-get >/dev/null 2>&1; then
            remedy="${sudo_word}apt-get update && ${sudo_word}apt-get install -y python$minor-venv"
        fi
        if ! command -v apt-get >/dev/null 2>&1 ||
            ! offer "Python's venv module" "$remedy" || ! has_venv; then
            fail "this Python has no venv" \
                "the package with Python's venv module is not installed." "$remedy"
        fi
    fi
    free || fail "something else is in $venv" \
        "it is no environment that Sitewright made, and installing would replace it." \
        "name a place that is free: SITEWRIGHT_VENV=/path ./install.sh"
    say "Installing Sitewright into $venv (about a minute the first time) …"
    # An environment holds its own path, so the new one is built in its place; the old one steps
    # aside and comes back if anything fails.
    trap restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    [ ! -e "$venv" ] || mv -- "$venv" "$old"
    begun=yes
    mkdir -- "$venv"
    : >"$venv/.stamp"
    if ! "$python" -I -m venv "$venv" >"$log" 2>&1; then
        last_lines
        fail "the virtual environment could not be made" "see the lines above." "$(advice)"
    fi
    set -- -I -m pip install --disable-pip-version-check --no-input --quiet
    if [ -d "$here/wheels" ]; then from="--no-index --find-links"; else from=; fi
    # shellcheck disable=SC2086 # $from is split on purpose
    if ! "$venv/bin/python" "$@" --require-hashes --only-binary :all: ${from:+$from "$here/wheels"} \
        -r "$here/requirements.lock" >"$log" 2>&1; then
        last_lines
        if grep -qi 'certificate.verify.failed' "$log"; then
            # Where REQUESTS_CA_BUNDLE is set, pip believes that and nothing else.
            if [ -n "${REQUESTS_CA_BUNDLE-}" ]; then word=REQUESTS_CA_BUNDLE; else word=PIP_CERT; fi
            fail "its packages could not be fetched" \
                "the package index shows a certificate of an authority that is not known here; a company's proxy that looks into TLS does the same." \
                "get that authority's certificate (PEM) from whoever runs the network, check its fingerprint with them, and run: $word=/path/to/authority.pem ./install.sh; a site names the same file as \`authorities:\`. If the clock is wrong (see: date), set it first."
        fi
        fail "its packages could not be fetched" "see the lines above." \
            "check the way to the package index (HTTPS_PROXY?) and 300 MB of free space, then run this again."
    fi
    editable=
    [ ! -w "$here" ] || editable=-e
    # shellcheck disable=SC2086 # $editable is one word or none
    if ! "$venv/bin/python" "$@" --no-index --no-deps --no-build-isolation $editable "$here" \
        >"$log" 2>&1; then
        last_lines
        fail "the program itself could not be installed" "see the lines above." \
            "check that the folder $here is whole, then run this again."
    fi
    # The program's own Python is isolated too: PYTHONPATH, which an empty part makes the current
    # folder, leads it nowhere.
    if sed '1s|^\(#!/[^ ]*python[0-9.]*\)$|\1 -I|' "$venv/bin/sitewright" >"$venv/bin/sitewright.new"; then
        cat "$venv/bin/sitewright.new" >"$venv/bin/sitewright"
    fi
    rm -f -- "$venv/bin/sitewright.new"
    printf '%s\n' "$stamp" >"$venv/.stamp"
    trap - EXIT INT TERM HUP
    rm -rf -- "$old" "$log"
    say "Done. From now on: $venv/bin/sitewright"
}

if ! installed; then
    # Two starts at once must not build into one another: the lock is on the folder itself.
    exec 9<"$(dirname -- "$venv")"
    if command -v flock >/dev/null 2>&1; then
        flock -w 600 9 || fail "another installation is under way" "it holds the folder of $venv." \
            "wait for it, or end it, and run this again."
    fi
    installed || install
    exec 9<&-
fi

exec "$venv/bin/sitewright" "$@"
