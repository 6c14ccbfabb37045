# Docker Engine, Compose 2 and git from the system's own packages, as far as they are lacking.
# What it installs is written down, so that taking it back removes just that.
export DEBIAN_FRONTEND=noninteractive
state=/var/lib/sitewright/core-test-harness
. /etc/os-release

if [ "$(id -u)" != 0 ]; then
    echo "Installing and starting Docker, Compose 2 and git needs root's rights." >&2
    echo "Log in as a user with sudo, or have somebody install them: then this step has nothing" \
        "to do, and the right to Docker's socket is enough." >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "This system (${PRETTY_NAME:-unknown}) has no apt." >&2
    echo "Install Docker Engine, Compose 2 and git by hand, then go on." >&2
    exit 1
fi

wanted=""
command -v git >/dev/null || wanted="$wanted git"
command -v dockerd >/dev/null || wanted="$wanted docker.io"
# Debian 13 has the client in a package of its own.
if ! command -v docker >/dev/null && [ "${ID:-}${VERSION_ID:-}" = debian13 ]; then
    wanted="$wanted docker-cli"
fi
compose=""
if ! docker compose version >/dev/null 2>&1; then
    case "${ID:-} ${VERSION_ID:-}" in
        "debian 12")
            apt-get update -qq
            # A bundle brings Compose 2 under the name that Debian 13 gives to it.
            case $(apt-cache policy docker-compose | sed -n 's/^ *Candidate: //p') in
                1.*|"(none)"|"") compose=debian-13 ;;
                *) wanted="$wanted docker-compose" ;;
            esac ;;
        debian*) wanted="$wanted docker-compose" ;;
        *) wanted="$wanted docker-compose-v2" ;;
    esac
    # Docker's own packages bring Compose under another name, and refuse Debian's.
    if dpkg-query -W -f '${db:Status-Status}' docker-ce 2>/dev/null | grep -qx installed; then
        compose="" wanted="${wanted% docker-compose*} docker-compose-plugin"
    fi
fi

installed() { dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p'; }
mkdir -p "$state"
before=$(mktemp)
installed | sort > "$before"

write_down() {
    # Only what is new since the first time counts; an attempt before may have done a part.
    installed | sort | comm -13 "$before" - >> "$state/packages"
    rm -f "$before"
}
trap write_down EXIT
# Earlier versions left a script there that took it back; nothing runs it any more.
rm -f "$state/undo-docker.sh"

if [ -n "$wanted" ]; then
    echo "Installing:$wanted"
    apt-get update -qq
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $wanted ca-certificates
fi

if [ "$compose" = debian-13 ]; then
    # Compose 2 is no package of Debian 12. Debian 13's needs the C library and nothing else; it is
    # taken from the same mirror, checked by the same keys, through lists that apt itself never sees.
    echo "Installing docker-compose of Debian 13, since Debian 12 has Compose 1 only"
    mirror=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' |
        sed -n 's/^Packages \(.*\/debian\/\{0,1\}\)$/\1/p' | head -n 1)
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    apt=$(mktemp -d)
    chmod 755 "$apt"
    mkdir -p "$apt/lists/partial"
    : > "$apt/status"
    echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} trixie main" \
        > "$apt/sources.list"
    set -- -qq -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
    apt-get "$@" update
    (cd "$apt" && apt-get "$@" download docker-compose)
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$apt"/docker-compose_*.deb
    rm -rf "$apt"
fi

if ! docker version >/dev/null 2>&1; then
    echo "Starting Docker"
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
        systemctl enable --now docker.service
    else
        service docker start
    fi
fi
for _ in 1 2 3 4 5 6 7 8 9 10; do docker version >/dev/null 2>&1 && break; sleep 1; done
docker --version
docker compose version
