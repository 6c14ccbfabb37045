# Every workload of the release moja in NAMESPACE to no pod; how many it had stands on itself.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
names=$("$kubectl" -n "$NAMESPACE" get deployments,statefulsets -o \
    'jsonpath={range .items[?(@.metadata.annotations.meta\.helm\.sh/release-name=="moja")]}{.kind}/{.metadata.name} {.spec.replicas}{"\n"}{end}')
if [ -z "$names" ]; then
    echo "error: there is no workload of the release moja in $NAMESPACE" >&2
    exit 1
fi
printf '%s\n' "$names" | while read -r name count; do
    [ "$count" != 0 ] || continue
    "$kubectl" -n "$NAMESPACE" annotate --overwrite "$name" "sitewright/replicas=$count" >/dev/null
    "$kubectl" -n "$NAMESPACE" scale "$name" --replicas=0 </dev/null
done
"$kubectl" -n "$NAMESPACE" get deployments,statefulsets -o \
    'jsonpath={range .items[?(@.metadata.annotations.meta\.helm\.sh/release-name=="moja")]}{.spec.replicas}{"\n"}{end}' |
    awk '$1 != 0 {left = 1} END {exit left}'
