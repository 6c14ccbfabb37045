# Nginx and its stream module from the system's own packages. What it installs is written down, so
# that taking it back removes just that. The wish is ask, make or away.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
list=/var/lib/sitewright/mosip-nginx/packages
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
wanted=
command -v nginx >/dev/null || wanted=nginx
# A build of Nginx's own makers has the module within.
if ! installed libnginx-mod-stream && ! nginx -V 2>&1 | grep -q -e '--with-stream\( \|$\)'; then
    wanted="$wanted libnginx-mod-stream"
fi
case {{ wish }} in
ask) [ -z "$wanted" ] ;;
away)
    if [ ! -s "$list" ]; then
        echo "No package was installed for it."
        exit 0
    fi
    others=$(find /etc/nginx/conf.d /etc/nginx/sites-enabled ! -type d ! -name default 2>/dev/null) || true
    if [ -n "$others" ]; then
        echo "The packages stay, since Nginx serves what others configured: $(echo $others)"
        exit 0
    fi
    set -- $(sort -u "$list")
    echo "Removing: $*"
    apt-get remove -y -qq -o Dpkg::Use-Pty=0 "$@"
    rm -f "$list"
    ;;
*)
    command -v apt-get >/dev/null || {
        echo "error: this system has no apt. Install Nginx with its stream module by hand, then go on." >&2
        exit 1
    }
    mkdir -p "${list%/*}"
    # Written down before: cut off in the midst, they are ours all the same.
    for name in $wanted; do echo "$name" >> "$list"; done
    echo "Installing: $wanted"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $wanted
    ;;
esac
