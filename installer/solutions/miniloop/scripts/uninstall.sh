# Both releases of Miniloop go from NAMESPACE, and no other: what has their name and is another chart
# is somebody else's, and stays.
[ -e /var/snap/microk8s/current ] || { echo "There is no MicroK8s, so nothing is in it."; exit 0; }
if ! releases=$(microk8s helm3 list --all -n "$NAMESPACE" --no-headers); then
    echo "error: Helm does not say what is installed in $NAMESPACE, so nothing was removed" >&2
    exit 1
fi
for pair in moja:mojaloop backend:example-mojaloop-backend; do
    release=${pair%%:*} chart=${pair#*:}
    there=$(printf '%s\n' "$releases" | awk -v name="$release" '$1 == name')
    [ -n "$there" ] || continue
    if ! printf '%s\n' "$there" | grep -qE "[[:space:]]$chart-[0-9]"; then
        echo "error: the release $release of $NAMESPACE is no $chart, so it was left: $there" >&2
        exit 1
    fi
    microk8s helm3 uninstall "$release" -n "$NAMESPACE" --ignore-not-found --wait --timeout 5m
done
