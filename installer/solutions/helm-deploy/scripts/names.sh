# That what the settings name in the cluster is there: the ingress class, the storage class, the
# issuer of certificates. Empty is not asked for.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
lacking=""
there() {
    # Its kind in words, as kubectl knows it, and its name.
    [ -n "$3" ] || return 0
    if said=$("$kubectl" get "$2" "$3" -o name 2>&1); then
        echo "The $1 $3 is there."
    else
        lacking="$lacking; the $1 $3 is not there ($(printf '%s\n' "$said" | tail -n 1))"
    fi
}
there "ingress class" ingressclass "$INGRESS"
there "storage class" storageclass "$STORAGE"
there "cluster issuer" clusterissuer.cert-manager.io "$ISSUER"
if [ -n "$ISSUER" ] && [ -z "$lacking" ]; then
    ready=$("$kubectl" get clusterissuer.cert-manager.io "$ISSUER" -o \
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}')
    [ "$ready" = True ] || lacking="; the cluster issuer $ISSUER is not Ready"
fi
if [ -n "$lacking" ]; then
    echo "error: ${lacking#; }; what there is: kubectl get ingressclasses,storageclasses" >&2
    exit 1
fi
