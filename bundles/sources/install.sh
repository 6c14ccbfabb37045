#!/bin/sh
# Install Sitewright from this bundle, without the internet, and start it.
#
#   sh install.sh                   the wizard on a terminal, else the preflight of this machine
#   sh install.sh bundle verify .   any command of sitewright, arguments passed through
#
# It stands in the unpacked or mounted bundle, and needs Python 3.11 or newer, no pip and no root.
# Every package is compared with the hash that the bundle's index states; with
# SITEWRIGHT_KEYS=FILE (allowed_signers) the index's signature is checked first, and with this
# machine's own list where there is one. A script cannot vouch for itself, so before you run it:
#   ssh-keygen -Y verify -f SIGNERS -I NAME -n sitewright-bundle -s index.json.sig < index.json
#   grep -A 4 "\"sha256:$(sha256sum < install.sh | cut -c 1-64)\"" index.json | grep '"install.sh"'
# must say "Good ... signature" and print a line; SIGNERS came another way than the bundle.
# SITEWRIGHT_PYTHON names a Python to use; SITEWRIGHT_VENV names a place other than
# $XDG_DATA_HOME/sitewright/venv (~/.local/share/sitewright/venv).
set -eu

say() { printf '%s\n' "$*" >&2; }
fail() { # what, what to do
    say ""
    say "Sitewright cannot be installed: $1"
    [ -z "${2-}" ] || say "  Do:  $2"
    exit "${3:-1}"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
if [ ! -f "$here/index.json" ] || [ ! -d "$here/blobs/sha256" ]; then
    fail "this is no bundle: $here" "run the install.sh that lies in the bundle's folder." 6
fi

keys=${SITEWRIGHT_KEYS-}
own_keys=${XDG_CONFIG_HOME:-${HOME:?}/.config}/sitewright/allowed_signers
[ -n "$keys" ] || [ ! -f "$own_keys" ] || keys=$own_keys
if [ -n "$keys" ]; then
    command -v ssh-keygen >/dev/null 2>&1 ||
        fail "the signature cannot be checked without ssh-keygen" "install openssh-client."
    [ -f "$here/index.json.sig" ] || fail "the bundle is not signed" "ask its maker for it again." 6
    lists=$keys
    for keys in "$lists" "$own_keys"; do
        [ "$keys" = "$lists" ] || [ -f "$keys" ] || continue
        signer=$(ssh-keygen -Y find-principals -s "$here/index.json.sig" -f "$keys" 2>/dev/null |
            head -n 1) || signer=
        if [ -z "$signer" ] || ! ssh-keygen -q -Y verify -f "$keys" -I "$signer" \
            -n sitewright-bundle -s "$here/index.json.sig" <"$here/index.json" >/dev/null 2>&1; then
            fail "the bundle's signature is not good by $keys" \
                "do not use it; ask its maker for it again." 6
        fi
        say "Signature: good, by $signer (as $keys names them)"
    done
else
    say "Signature: NOT checked, since no keys were given (SITEWRIGHT_KEYS=FILE)"
fi

# A Python is known by running it: a name on the path may be a shim that only prints an error.
pythons=$(grep -o '"python3\.[0-9]*"' "$here/index.json" | tr -d '"' | sort -u | tr '\n' ' ')
[ -n "$pythons" ] || fail "the bundle does not bring Sitewright" \
    "make it with a recipe that has \`sitewright\`, or install Sitewright another way."
usable() {
    # shellcheck disable=SC2086 # one word for each Python
    "$1" -I -c 'import sys; sys.exit("python%d.%d" % sys.version_info[:2] not in sys.argv[1:])' \
        $pythons >/dev/null 2>&1
}
python=
for name in ${SITEWRIGHT_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 \
    /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11}; do
    if usable "$name"; then
        python=$name
        break
    fi
done
[ -n "$python" ] || fail "none of the Pythons that the bundle has packages for was found: $pythons" \
    "install one of them, or name it: SITEWRIGHT_PYTHON=/path/to/python3 sh install.sh"

venv=${SITEWRIGHT_VENV:-${XDG_DATA_HOME:-${HOME:?}/.local/share}/sitewright/venv}
stamp="$("$python" -I -c 'import sys; print(sys.version, sys.executable)') $venv $(cksum <"$here/index.json")"
if [ -x "$venv/bin/sitewright" ] && [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ]; then
    exec "$venv/bin/sitewright" "$@"
fi

mkdir -p "$(dirname -- "$venv")"
exec 9<"$(dirname -- "$venv")"
if command -v flock >/dev/null 2>&1; then
    flock -w 600 9 || fail "another installation is under way" "wait for it, or end it."
fi
house=$(mktemp -d)
old=$venv.old.$$
begun=
restore() { # an installation that did not end well leaves what was there before it
    rm -rf -- "$house"
    [ -z "$begun" ] || rm -rf -- "$venv"
    [ ! -e "$old" ] || mv -- "$old" "$venv"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
free() { # whether the place is empty, or what is there was made by us and may be replaced
    if [ ! -e "$venv" ] && [ ! -L "$venv" ] || [ -f "$venv/.stamp" ]; then return 0; fi
    if [ -z "${SITEWRIGHT_VENV-}" ] && [ -f "$venv/pyvenv.cfg" ]; then return 0; fi
    rmdir -- "$venv" 2>/dev/null
}
free || fail "something else is in $venv, which installing would replace" \
    "name a place that is free: SITEWRIGHT_VENV=/path sh install.sh"
[ ! -e "$venv" ] || mv -- "$venv" "$old"
begun=yes
mkdir -- "$venv"
: >"$venv/.stamp"

say "Installing Sitewright into $venv …"
# The wheels for this Python are laid out under their names; whatever differs from the index ends it.
"$python" -I - "$here" "$house" <<'END' || fail "its packages cannot be taken out of the bundle" \
    "see the line above; copy the bundle again if it is damaged." 6
import hashlib, json, os, re, sys

bundle, house = sys.argv[1:]
python = "python%d.%d" % sys.version_info[:2]
with open(os.path.join(bundle, "index.json"), "rb") as file:
    items = [one.get("annotations", {}) for one in json.load(file)["manifests"]]

def of(note, name):
    return note.get("sitewright.item." + name)

def content(note):
    digest = of(note, "content") or ""
    if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        sys.exit("the index names no content of %r" % of(note, "name"))
    path = os.path.join(bundle, "blobs", "sha256", digest[7:])
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            raw = file.read()
    except OSError as error:
        sys.exit("%s is missing: %s" % (of(note, "name"), error.strerror))
    if hashlib.sha256(raw).hexdigest() != digest[7:]:
        sys.exit("%s is damaged" % of(note, "name"))
    return raw, digest[7:]

pythons, lines = set(), []
for note in items:
    kind, name, platform = of(note, "kind"), of(note, "name"), of(note, "platform")
    if kind == "record" and name == "requirements.lock":
        lines.append(content(note)[0].decode())
    if kind == "record" and name == "CHANGELOG.md":
        with open(os.path.join(house, name), "xb") as file:
            file.write(content(note)[0])
    if kind != "wheel":
        continue
    pythons.add(platform)
    if platform not in (None, python):
        continue
    title = note.get("sitewright.pin.file", "")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.whl", title):
        sys.exit("the index gives %r no name of a wheel" % name)
    raw, digest = content(note)
    with open(os.path.join(house, title), "xb") as file:
        file.write(raw)
    if name == "sitewright":
        lines.append("sitewright==%s --hash=sha256:%s" % (of(note, "version"), digest))
    if name == "pip":
        os.symlink(title, os.path.join(house, "pip"))
if python not in pythons:
    there = ", ".join(sorted(filter(None, pythons))) or "none"
    sys.exit("the bundle has packages for %s, and this is %s" % (there, python))
if len(lines) != 2 or not os.path.exists(os.path.join(house, "pip")):
    sys.exit("the bundle does not bring Sitewright")
with open(os.path.join(house, "requirements.txt"), "x") as file:
    file.write("\n".join(lines) + "\n")
END

# Debian and Ubuntu part venv's pip from Python, so the bundle's own is used.
"$python" -I -m venv --without-pip "$venv" >"$house/log" 2>&1 || {
    tail -n 8 "$house/log" >&2
    fail "the virtual environment could not be made" "see the lines above."
}
pip=$(readlink -- "$house/pip")
if ! "$venv/bin/python" -I "$house/$pip/pip" install --quiet --no-input --no-cache-dir \
    --disable-pip-version-check --no-index --find-links "$house" --require-hashes \
    --only-binary :all: -r "$house/requirements.txt" >"$house/log" 2>&1; then
    tail -n 8 "$house/log" >&2
    fail "its packages could not be installed" "see the lines above; 300 MB of space are needed."
fi
# The program's own Python is isolated too: PYTHONPATH, which an empty part makes the current
# folder, leads it nowhere.
if sed '1s|^\(#!/[^ ]*python[0-9.]*\)$|\1 -I|' "$venv/bin/sitewright" >"$venv/bin/sitewright.new"; then
    cat "$venv/bin/sitewright.new" >"$venv/bin/sitewright"
fi
rm -f -- "$venv/bin/sitewright.new"
[ ! -f "$house/CHANGELOG.md" ] || cp -- "$house/CHANGELOG.md" "$venv/CHANGELOG.md"
printf '%s\n' "$stamp" >"$venv/.stamp"
trap - EXIT INT TERM HUP
rm -rf -- "$house" "$old"
say "Done. From now on: $venv/bin/sitewright"
exec 9<&-
exec "$venv/bin/sitewright" "$@"
