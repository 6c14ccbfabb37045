"""A Compose project of the Core Test Harness's shape on a lab machine, made from nothing.

The services, their dependencies, health checks, ports, names and one-shots are like those of the
release; the programs in the images are a shell script on busybox (a stand-in) that answers the
health paths and prints the toolkit's table. Docker, Compose, the registry and Git are real.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.machine import Machine

RELEASE = "v2.14.2"
REGISTRY = "127.0.0.1:5000"

APPLETS = (
    "sh cat sleep echo test touch httpd nc wget true false env mkdir printf date kill head od rm"
)

IMAGES = (
    "mojaloop/central-ledger:v19.4.4",
    "mojaloop/ml-api-adapter:v16.4.2",
    "mojaloop/sdk-scheme-adapter:v24.7.0",
    "mojaloop/ml-testing-toolkit:v18.11.2",
    "mojaloop/ml-testing-toolkit-ui:v16.2.0",
    "mojaloop/ml-testing-toolkit-client-lib:v1.9.1",
    "bitnamilegacy/kafka:3.9.0",
    "mysql/mysql-server:8.0",
    "mongo:8.0.6",
    "redis:6.2.4-alpine",
)

_PROGRAM = r"""
# The stand-in: `run.sh SERVICE [PORT]`. What it is to do wrong lies in /opt/harness/faults/SERVICE.
fault=$(cat "/opt/harness/faults/$1" 2>/dev/null)
echo "$1 begins"
case $fault in
    exits) echo "$1: cannot open the database" >&2; exit 3 ;;
    # Until the fault is taken back: one that has no health check, which would call it ill.
    slow) while [ -e "/opt/harness/faults/$1" ]; do sleep 0.2; done ;;
    never) while :; do sleep 1; done ;;
esac
case $1 in
    kafka-provisioning) echo "topics made"; exit 0 ;;
    ttk-provisioning|ttk-tests)
        passed=27 percent=100.00% code=0
        case $fault in
            fails-and-says-0) passed=26 percent=96.30% ;;
            passes-and-says-1) code=1 ;;
            silent) exit 0 ;;
        esac
        sleep 0.3
        echo "┌───────────────────┬───────────────────────────────┐"
        echo "│ Total assertions  │ 27                            │"
        echo "│ Passed assertions │ $passed                            │"
        echo "│ Passed percentage │ $percent                       │"
        echo "└───────────────────┴───────────────────────────────┘"
        report=ttk-provisioning-report.html
        [ "$1" = ttk-provisioning ] || report=ttk-func-tests-report.html
        echo "<html>$1 $passed of 27</html>" > "/opt/app/reports/$report"
        exit "$code" ;;
esac
mkdir -p /tmp/www
echo '{"status":"OK"}' > /tmp/www/health
[ -z "${2:-}" ] || httpd -p "$2" -h /tmp/www
[ "$1" != mojaloop-testing-toolkit ] || httpd -p 5050 -h /tmp/www
echo "$1 is ready"
[ "$fault" != later ] || { sleep 1; echo "$1 gives up"; exit 1; }
trap 'exit 0' TERM
while :; do sleep 1 & wait $!; done
"""


def _service(
    name: str,
    image: str,
    *,
    port: str = "",
    profile: str = "all-services",
    named: bool = True,
    after: Mapping[str, str] | None = None,
    published: tuple[str, ...] = (),
    health: bool = False,
    begins: int = 120,
    more: str = "",
) -> str:
    lines = [f"  {name}:", f"    image: {image}"]
    if named:
        lines.append(f"    container_name: {name}")
    command = f"sh /opt/harness/run.sh {name} {port}".strip()
    lines += [
        f"    command: {command}",
        "    volumes: ['./docker/harness:/opt/harness', './reports:/opt/app/reports']",
        "    networks: [mojaloop-net]",
        f"    profiles: [{profile}]",
    ]
    if after:
        lines.append("    depends_on:")
        lines += [f"      {other}: {{condition: service_{how}}}" for other, how in after.items()]
    if published:
        lines.append(f"    ports: [{', '.join(repr(one) for one in published)}]")
    if health:
        test = f"wget -q http://127.0.0.1:{port}/health -O /dev/null || exit 1"
        # Failures of the first seconds (`begins`) do not count: these machines may be busy.
        lines += [
            f"    healthcheck: {{test: '{test}', interval: 2s, timeout: 60s, retries: 3,",
            f"                  start_period: {begins}s}}",
        ]
    return "\n".join(lines) + (f"\n{more}" if more else "") + "\n"


def compose_file() -> str:
    """The project's docker-compose.yml."""
    hub = {"mysql": "healthy", "objstore": "healthy", "kafka": "started",
           "kafka-provisioning": "completed_successfully"}  # fmt: skip
    ready = {"mojaloop-testing-toolkit": "healthy", "central-ledger": "healthy"}
    toolkit = "mojaloop/ml-testing-toolkit-client-lib:${TEST_TTK_CLI_VERSION}"
    kafka = "docker.io/bitnamilegacy/kafka:3.9.0"
    return (
        'version: "3.7"\nnetworks:\n  mojaloop-net:\n    name: mojaloop-net\nservices:\n'
        + _service("mysql", "mysql/mysql-server:8.0", port="3306", health=True)
        + _service("mysql-als", "mysql/mysql-server:8.0", port="3306", health=True)
        + _service("objstore", "mongo:8.0.6", port="27017", health=True, published=("27017:27017",),
                   more="    logging: {driver: none}")
        + _service("kafka", kafka, port="9092", health=True)
        + _service("kafka-provisioning", kafka, after={"kafka": "started"})
        + _service("central-ledger", "mojaloop/central-ledger:${CENTRAL_LEDGER_VERSION}",
                   port="3001", after=hub, health=True, begins=20)  # it is made ill in a test
        + _service("ml-api-adapter", "mojaloop/ml-api-adapter:v16.4.2", port="3000", health=True,
                   after={"central-ledger": "healthy"})
        + _service("redis", "redis:6.2.4-alpine", port="6379", published=("6379:6379",))
        + _service("payerfsp-sdk", "mojaloop/sdk-scheme-adapter:v24.7.0",
                   after={"redis": "started"}, more="    env_file: envs/payerfsp-sdk.env")
        + _service("mojaloop-testing-toolkit", "mojaloop/ml-testing-toolkit:v18.11.2", port="4040",
                   published=("9440:4040", "9550:5050"), health=True)
        + _service("mojaloop-testing-toolkit-ui", "mojaloop/ml-testing-toolkit-ui:v16.2.0",
                   port="6060", published=("9660:6060",))
        + _service("ttk-provisioning", toolkit, profile="ttk-provisioning", named=False,
                   after=ready)
        + _service("ttk-tests", toolkit, profile="ttk-tests", named=False,
                   after={**ready, "ttk-provisioning": "completed_successfully"})
        + _service("kafka-debug-ui", "mojaloop/console:latest", profile="debug", named=False,
                   published=("8080:8080",))
        + "  merchant:\n    build: {context: /Users/sprak/Documents/ui}\n    profiles: [broken]\n"
        "    networks: [mojaloop-net]\n    volumes: ['your/local/path:/opt/data']\n"
    ).replace("your/local/path", "./your/local/path")  # fmt: skip


def release_files() -> dict[str, str]:
    """The files of the release, by their paths."""
    return {
        "docker-compose.yml": compose_file(),
        ".env": "CENTRAL_LEDGER_VERSION=v19.4.4\nTEST_TTK_CLI_VERSION=v1.9.1\n",
        "envs/payerfsp-sdk.env": "DFSP_ID=payerfsp\n",
        "docker/harness/run.sh": _PROGRAM,
        "docker/harness/faults/.keep": "",
    }


@dataclass
class Harness:
    """The project on a machine, and what its programs are to do wrong."""

    machine: Machine
    commit: str

    @property
    def folder(self) -> str:
        """Where the release lies once it was fetched."""
        return f"/opt/core-test-harness/{RELEASE}"

    def fault(self, service: str, what: str = "") -> None:
        """Have a service do something wrong from its next start on, or nothing any more."""
        path = shlex.quote(f"{self.folder}/docker/harness/faults/{service}")
        self.machine.script(f"echo {what} > {path}" if what else f"rm -f {path}")

    def compose(self, *words: str) -> str:
        """`docker compose` on the project as it is there; what it printed."""
        return self.machine.exec(
            ["docker", "compose", "--project-name", "core-test-harness", *words]
        ).stdout

    def states(self) -> dict[str, str]:
        """The state of each container by service."""
        form = '{{.Label "com.docker.compose.service"}} {{.State}}'
        shown = self.machine.exec(["docker", "ps", "--all", "--format", form]).stdout
        return dict(line.split(" ", 1) for line in shown.splitlines())

    def another_release(self, tag: str) -> str:
        """Put a second release into the Git server, with an older hub; its commit."""
        image = "mojaloop/central-ledger"
        return self.machine.script(
            f"""
exec 3>&1 >&2
docker tag {image}:v19.4.4 {image}:v19.4.3
cd /srv/tree
sed -i s/v19.4.4/v19.4.3/ .env
git commit -q -a -m "An older hub"
git tag {tag}
git push -q /srv/git/release.git {tag}
git -C /srv/git/release.git update-server-info
git rev-parse HEAD >&3
"""
        ).strip()

    def clear(self) -> None:
        """Leave Docker and the folder as at the beginning, but for the images."""
        self.machine.script(
            "docker ps -aq | xargs -r docker rm -f -v >/dev/null\n"
            "docker network rm mojaloop-net >/dev/null 2>&1 || true\n"
            "docker volume ls -q | xargs -r docker volume rm >/dev/null\n"
            "rm -rf /opt/core-test-harness\n"
        )


def site_text(lab: Lab, machine: Machine, harness: Harness, settings: str = "") -> str:
    """A site file whose machine is the lab's; what the lab's machines are not is waived."""
    areas = (
        "machine cpu memory disk nic software kernel limits os role host unique consistency time"
        " network firewall port egress"
    )
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in areas.split()
    )
    return (
        "solution: core-test-harness\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n  - {{name: box, address: {machine.address}, roles: [box]}}\n"
        f"settings:\n  commit: {harness.commit}\n"
        f"  source: http://127.0.0.1:8418/release.git\n{settings}"
        f"waivers:\n{waivers}"
    )


def prepare(machine: Machine) -> Harness:
    """Put images into a registry on the machine and the release into a Git server there."""
    machine.altered = True
    machine.wait_for_boot()
    tree = "/srv/tree"
    for name, text in release_files().items():
        machine.write_file(f"{tree}/{name}", text)
    links = "".join(f"ln -s busybox {name}\n" for name in APPLETS.split())
    pushes = "".join(
        f"docker tag harness {REGISTRY}/{name}\ndocker push -q {REGISTRY}/{name} >/dev/null\n"
        f"docker rmi {REGISTRY}/{name} >/dev/null\n"
        for name in (image if "/" in image else f"library/{image}" for image in IMAGES)
    )
    commit = machine.script(
        f"""
exec 3>&1 >&2
sed -i '/^auth:/,/path:/d; s/addr: :5000/addr: 127.0.0.1:5000/' /etc/docker/registry/config.yml
systemctl start docker-registry
root=$(mktemp -d)
mkdir -p "$root/bin" "$root/tmp" "$root/opt"
cp /bin/busybox "$root/bin/"
cd "$root/bin"
{links}
tar -C "$root" -c . | docker import --change "VOLUME /scratch" - harness >/dev/null
rm -rf "$root"
until curl -sf -o /dev/null http://{REGISTRY}/v2/; do sleep 0.1; done
{pushes}
cd {tree}
git init -q
git config user.name A && git config user.email a@example.org
git add -A
git commit -q -m release
git tag {RELEASE}
mkdir -p /srv/git
git clone -q --bare {tree} /srv/git/release.git
git -C /srv/git/release.git update-server-info
busybox httpd -p 127.0.0.1:8418 -h /srv/git
git rev-parse HEAD >&3
""",
        timeout=600,
    ).strip()
    # Nothing it pulls can come from anywhere else.
    machine.no_route()
    return Harness(machine, commit)


def report_of(folder: Path) -> str:
    """The toolkit's report that a run copied."""
    return (folder / "reports" / "ttk-func-tests-report.html").read_text(encoding="utf-8")
