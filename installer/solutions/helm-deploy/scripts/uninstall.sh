# Both releases of the hub go from NAMESPACE, and no other; what has their name and is another chart
# is somebody else's, and stays.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
helm=/var/lib/sitewright/helm-deploy/helm
if ! releases=$("$helm" list --all -n "$NAMESPACE" --no-headers); then
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
    "$helm" uninstall "$release" -n "$NAMESPACE" --ignore-not-found --wait --timeout 5m
done
tests=$("$kubectl" -n "$NAMESPACE" get pods --no-headers -o \
    'custom-columns=NAME:.metadata.name,HOOK:.metadata.annotations.helm\.sh/hook' |
    awk '$1 ~ /^moja-/ && $2 == "test" {print $1}')
[ -z "$tests" ] || "$kubectl" -n "$NAMESPACE" delete pod $tests --ignore-not-found
