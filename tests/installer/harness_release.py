"""The images that a release of the Core Test Harness asks for, made from nothing.

One root file system of busybox, bash and shell programs serves for all of them. The programs stand
in for those that the release's Compose files start and ask for health: node, npm and yarn, kafka,
mysqladmin, mongosh, redis-server, the toolkit's client. They listen where the real ones do, wait
for what the real ones wait for, and the client really asks the services before it prints its table.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bundles.places import Layout, RunningRegistry, need

APPLETS = (
    "sh cat sleep echo test touch httpd wget true false env mkdir printf date kill head od rm"
    " sed tail tr grep ls"
)

PROGRAM = r"""#!/bin/sh
# One program under many names; what it is says the name that it is called by, and STAND_IN which
# image it is in.
me=${0##*/}
state=/tmp/state

reaches() { busybox nc -w 2 "$1" "$2" < /dev/null > /dev/null 2>&1; }
answers() { wget -q -O /dev/null "http://$1/health"; }
wait_for() {
    until reaches "$1" "$2"; do echo "$STAND_IN: waiting for $1:$2"; sleep 1; done
    echo "$STAND_IN: $1:$2 is there"
}
serve() {
    mkdir -p "$state"
    printf '{"status":"OK"}\n' > "$state/health"
    echo "<html>$STAND_IN</html>" > "$state/index.html"
    for port; do httpd -p "$port" -h "$state" || exit 1; done
    echo "$STAND_IN listens on $*"
    trap 'echo "$STAND_IN ends"; exit 0' TERM INT
    while :; do sleep 3600 & wait $!; done
}
# A database makes its files at its first start, which takes longest.
database() {
    if [ ! -e "$1/made" ]; then
        echo "$STAND_IN makes its files in $1"
        mkdir -p "$1" && sleep 3 && date > "$1/made" || exit 1
    fi
}
client() {
    while [ $# -gt 0 ]; do
        case $1 in
            -u) toolkit=${2#http://}; shift ;;
            -i) input=$2; shift ;;
            --report-target) report=${2#file://}; shift ;;
        esac
        shift
    done
    [ -d "/opt/app/$input" ] || { echo "no collection $input"; exit 1; }
    answers "$toolkit" || { echo "connect ECONNREFUSED $toolkit"; exit 1; }
    passed=0 total=0
    for one in central-ledger:3001 ml-api-adapter:3000 account-lookup-service:4002 \
        quoting-service:3002
    do
        total=$((total + 1))
        if answers "$one"; then passed=$((passed + 1)); word=SUCCESS colour=32
        else word=FAILED colour=31; fi
        # The real client colours its lines whether or not there is a terminal.
        printf '[ \033[32m%s passed, \033[0m\033[33m0 skipped, \033[0m]\n' "$passed"
        printf '\t\033[%sm[ %s ]\033[0m\t\033[%sm%s answers\033[0m\n' "$colour" "$word" \
            "$colour" "$one"
    done
    percent=$((passed * 100 / total))
    echo "┌───────────────────────────────────────────────┐"
    echo "│                    SUMMARY                    │"
    echo "├───────────────────┬───────────────────────────┤"
    printf '│ Total assertions  │ %-25s │\n' "$total"
    printf '│ Passed assertions │ %-25s │\n' "$passed"
    printf '│ Failed assertions │ %-25s │\n' "$((total - passed))"
    printf '│ Total requests    │ %-25s │\n' "$total"
    printf '│ Total test cases  │ %-25s │\n' 1
    printf '│ Passed percentage │ %-25s │\n' "$percent.00%"
    echo "└───────────────────┴───────────────────────────┘"
    echo "<html>$input: $passed of $total</html>" > "/opt/app/$report" || exit 1
    [ "$passed" = "$total" ]
}

case "$me $*" in
    "node "*config-modifier/run.js*) [ -r "$3" ] || { echo "no $3"; exit 1; }; exit 0 ;;
    "node "*wait4.js*)
        case ${2:-} in
            central-ledger) wait_for kafka 29092; wait_for mysql 3306 ;;
            central-settlement) wait_for central-ledger 3001; wait_for mysql 3306 ;;
            account-lookup-service|als-msisdn-oracle-svc)
                wait_for central-ledger 3001; wait_for mysql-als 3306 ;;
            ml-api-adapter) wait_for kafka 29092 ;;
        esac
        exit 0 ;;
    "npm run migrate"*) echo "$STAND_IN: tables are made"; exit 0 ;;
    "npm run cli"*) shift 3; client "$@"; exit ;;
    "npm run start:handlers"*) serve 3003 ;;
    "yarn "*)
        cache=${CACHE_URL#redis://}
        [ -z "$cache" ] || wait_for "${cache%:*}" "${cache##*:}"
        serve 4000 4001 ;;
    "redis-server "*) port=6379; [ "${1:-}" != --port ] || port=$2; serve "$port" ;;
    mysqld*) database /var/lib/mysql; serve 3306 ;;
    mongod*) database /data/db; serve 27017 ;;
    kafka-run*) database /bitnami/kafka; serve 9092 29092 ;;
    kafka-*" --bootstrap-server "*)
        wait_for "${2%:*}" "${2##*:}" > /dev/null
        [ "${5:-}" != --topic ] || echo "Created topic $6." ;;
    "mysqladmin ping -h "*) reaches "$3" 3306 ;;
    mongosh*) reaches localhost 27017 ;;
    "nc "*)
        while [ $# -gt 2 ]; do shift; done
        reaches "$1" "$2" ;;
    *)
        case $STAND_IN in
            central-ledger|central-settlement) serve 3001 ;;
            quoting-service) serve 3002 ;;
            ml-api-adapter|als-msisdn-oracle-svc) serve 3000 ;;
            account-lookup-service) serve 4001 4002 ;;
            simulator) serve 8444 ;;
            ml-testing-toolkit) serve 4040 5050 ;;
            ml-testing-toolkit-ui) serve 6060 ;;
            *) serve 8080 ;;
        esac ;;
esac
"""

_NAMES = (
    *("bin/node", "bin/npm", "bin/yarn", "bin/nc", "bin/redis-server", "bin/mysqld"),
    *("bin/mysqladmin", "bin/mongod", "bin/mongosh", "bin/kafka-run", "bin/kafka-topics.sh"),
    *("bin/start", "opt/bitnami/kafka/bin/kafka-broker-api-versions.sh"),
    *("usr/share/nginx/start.sh", "usr/bin/env"),
)

_COMMANDS = {"kafka": "kafka-run", "mysql-server": "mysqld", "mongo": "mongod",
             "redis": "redis-server"}  # fmt: skip

_VOLUMES = {"mysql-server": ("/var/lib/mysql",), "mongo": ("/data/db", "/data/configdb"),
            "redis": ("/data",)}  # fmt: skip
"""As the real images have them: Docker makes a volume without a name for each."""


def root_layer() -> bytes:
    """The root file system, packed: busybox and bash of this machine, and the programs."""
    need("busybox", "bash", "ldd")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in _binaries().items():
            _put(tar, name, content)
        _put(tar, "bin/stand-in", PROGRAM.encode())
        _put(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        for applet in APPLETS.split():
            _link(tar, f"bin/{applet}", "/bin/busybox")
        for name in _NAMES:
            _link(tar, name, "/bin/env" if name == "usr/bin/env" else "/bin/stand-in")
        for folder in ("tmp", "opt/app", "var/lib", "data", "bitnami"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(info)
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


def _binaries() -> dict[str, bytes]:
    """busybox, bash and the libraries that they need, by their paths."""
    found = [Path(shutil.which(name) or name) for name in ("busybox", "bash")]
    needed = subprocess.run(["ldd", *found], check=True, capture_output=True, text=True).stdout
    libraries = re.findall(r"^\s.*?(/\S+)", needed, re.MULTILINE)
    files = {f"bin/{path.name}": path for path in found}
    files.update({name.lstrip("/"): Path(name) for name in libraries})
    return {name: path.read_bytes() for name, path in files.items()}


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    tar.addfile(info, io.BytesIO(content))


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def image_config(image: str) -> Mapping[str, Any]:
    """The configuration of one image: what it starts, and the volumes that it declares."""
    short = image.rpartition("/")[2].partition(":")[0]
    return {
        "Env": [f"STAND_IN={short}", "PATH=/bin:/usr/bin:/opt/bitnami/kafka/bin"],
        "Cmd": [f"/bin/{_COMMANDS.get(short, 'start')}"],
        "Volumes": {path: {} for path in _VOLUMES.get(short, ())},
        "WorkingDir": "/opt/app",
    }


def push_images(registry: RunningRegistry, folder: Path, images: tuple[str, ...]) -> None:
    """Put the images into a registry, under the paths that they have at Docker Hub."""
    layout = Layout(folder)
    layer = root_layer()
    for number, image in enumerate(images):
        path = image.removeprefix("docker.io/")
        layout.name(layout.image([layer], config=image_config(image)), str(number))
        layout.push(str(number), f"{registry.host}/{path if '/' in path else f'library/{path}'}")
