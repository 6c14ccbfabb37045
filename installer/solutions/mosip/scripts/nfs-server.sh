# The NFS server of the MOSIP cluster's volumes. The wish is ask, make or away; away leaves the data.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
folder={{ nfs_folder }}
exports=/etc/exports.d/sitewright-mosip.exports
fail() { echo "error: $*" >&2; exit 1; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' nfs-kernel-server 2>/dev/null)" = installed ]; }
if [ {{ wish }} = away ]; then
    rm -f "$exports"
    ! installed || exportfs -ra
    echo "$folder is no longer exported by Sitewright; what it holds stays, and so does the package."
    exit 0
fi

wanted=$(cat <<'END'
# Written by Sitewright: the nodes of the MOSIP cluster, and nobody else.
{% for client in nfs_clients.split(",") %}
{{ nfs_folder }} {{ client.strip() }}(rw,sync,no_subtree_check,no_root_squash)
{% endfor %}
END
)
# Another line of this folder would let others in beside the nodes: one of upstream's says *.
others=$(grep -sHE "^[[:space:]]*\"?$folder\"?[[:space:]]" /etc/exports /etc/exports.d/*.exports | grep -v "^$exports:" || true)
[ -z "$others" ] || fail "$folder is exported by others too: $others. Take that line away, then go on."
if [ {{ wish }} = ask ]; then
    installed || fail "nfs-kernel-server is not installed."
    [ "$wanted" = "$(cat "$exports" 2>/dev/null)" ] || fail "$exports is not as it should be."
    systemctl is-active --quiet nfs-server || fail "the NFS server does not run: journalctl -u nfs-server -n 20"
    exported=$(exportfs -s | tr -s '\t ' ' ')
{% for client in nfs_clients.split(",") %}
    printf '%s\n' "$exported" | grep -qF "$folder "{{ client.strip() }}"(" || fail "$folder is not exported to" {{ client.strip() }}
{% endfor %}
    echo "$folder is exported to the nodes alone."
    exit 0
fi
if ! installed; then
    command -v apt-get >/dev/null || fail "this system has no apt. Install its NFS server by hand, then go on."
    apt-get update -qq
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends nfs-kernel-server
fi
if [ ! -e "$folder" ]; then
    # Local users stay out; the nodes come as root, and each volume has a folder of its own.
    umask 077
    mkdir -p "$folder"
fi
umask 022
mkdir -p "${exports%/*}"
printf '%s\n' "$wanted" > "$exports.part"
mv -f "$exports.part" "$exports"
systemctl enable --quiet --now nfs-server || fail "the NFS server does not start: journalctl -u nfs-server -n 20"
exportfs -ra
echo "$folder is exported to the nodes alone."
