# NAMESPACE with all that is in it, where Sitewright made it and no workload and no release of others
# is there.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
helm=/var/lib/sitewright/helm-deploy/helm
if ! found=$("$kubectl" get namespace "$NAMESPACE" --ignore-not-found -o \
    'jsonpath={.metadata.name} {.metadata.annotations.sitewright/made}'); then
    echo "error: the cluster does not say whose $NAMESPACE is, so it was left" >&2
    exit 1
fi
case $found in
"") echo "There is no namespace $NAMESPACE."; exit 0 ;;
"$NAMESPACE yes") ;;
*)
    echo "error: the namespace $NAMESPACE was not made by Sitewright, so it was left" >&2
    exit 1
    ;;
esac
if ! left=$("$helm" list --all -q -n "$NAMESPACE") ||
    ! runs=$("$kubectl" -n "$NAMESPACE" get deployments,statefulsets,daemonsets,cronjobs -o name); then
    echo "error: it cannot be told what else is in $NAMESPACE, so it was left" >&2
    exit 1
fi
if [ -n "$left$runs" ]; then
    echo "error: others work in $NAMESPACE, so it was left:" $left $runs >&2
    exit 1
fi
"$kubectl" delete namespace "$NAMESPACE" --wait --timeout 8m
rm -f /var/lib/sitewright/helm-deploy/cluster /var/lib/sitewright/helm-deploy/judged
