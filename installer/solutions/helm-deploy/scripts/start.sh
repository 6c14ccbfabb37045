# Every workload of NAMESPACE that was stopped gets the pods that it had.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
names=$("$kubectl" -n "$NAMESPACE" get deployments,statefulsets -o \
    'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec.replicas} {.metadata.annotations.sitewright/replicas}{"\n"}{end}')
if [ -z "$names" ]; then
    echo "error: nothing is installed in $NAMESPACE" >&2
    exit 1
fi
printf '%s\n' "$names" | while read -r name count had; do
    [ "$count" = 0 ] || continue
    "$kubectl" -n "$NAMESPACE" scale "$name" "--replicas=${had:-1}" </dev/null
done
