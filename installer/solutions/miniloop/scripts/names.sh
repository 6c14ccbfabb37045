# The names of the ingresses of NAMESPACE as the machine's own, in a block of /etc/hosts.
names=$(microk8s kubectl -n "$NAMESPACE" get ingresses \
    -o 'jsonpath={range .items[*].spec.rules[*]}{.host}{"\n"}{end}' |
    grep -E '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' | sort -u || true)
if [ -z "$names" ]; then
    echo "error: the hub brought no ingress, so that no name leads to it" >&2
    exit 1
fi
# Without its last line the block would have no end, and what stands behind it would go with it.
if [ "$(grep -c '^# BEGIN names of Miniloop' /etc/hosts)" != "$(grep -c '^# END names of Miniloop' /etc/hosts)" ]; then
    echo "error: in /etc/hosts the names of Miniloop have a first or a last line alone; remove them by hand" >&2
    exit 1
fi
new=$(mktemp /etc/hosts.XXXXXXXX)
trap 'rm -f "$new"' EXIT
sed '/^# BEGIN names of Miniloop/,/^# END names of Miniloop/d' /etc/hosts > "$new"
{
    echo "# BEGIN names of Miniloop, written by Sitewright"
    for name in $names; do echo "127.0.0.1 $name"; done
    echo "# END names of Miniloop, written by Sitewright"
} >> "$new"
# Where /etc/hosts is a mount of its own it cannot be replaced, only written.
cat "$new" > /etc/hosts
echo "$(printf '%s\n' "$names" | wc -l) names lead to this machine:"
printf '%s\n' "$names"
