# That the cluster is reached, and is the one that is meant: WANTED is its id where the site names
# it, else the one in RECORD, which the first run writes.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
helm=/var/lib/sitewright/helm-deploy/helm
record=/var/lib/sitewright/helm-deploy/cluster
said=$(mktemp)
trap 'rm -f "$said"' EXIT
if ! id=$(CLUSTER=any "$kubectl" get namespace kube-system -o 'jsonpath={.metadata.uid}' 2>"$said"); then
    cat "$said" >&2
    if grep -q -e Unauthorized -e 'must be logged in' "$said"; then
        echo "error: the cluster refuses the login: its token or certificate has expired, or is of" \
            "another cluster; fetch a new kubeconfig" >&2
    elif grep -q -e 'x509:' -e 'certificate signed by unknown' "$said"; then
        echo "error: the server is not the one of the kubeconfig: its certificate is not signed by" \
            "the authority that the kubeconfig names" >&2
    elif grep -q 'cannot get resource' "$said"; then
        echo "error: the user of the kubeconfig may not read the namespace kube-system, by which a" \
            "cluster is known" >&2
    else
        echo "error: the cluster does not answer: $(tail -n 1 "$said")" >&2
    fi
    exit 1
fi
case $id in
"" | *[!0-9a-f-]*) echo "error: the cluster does not say its id" >&2; exit 1 ;;
esac
if [ -n "$WANTED" ] && [ "$id" != "$WANTED" ]; then
    echo "error: this is the cluster $id, and the setting cluster_id names $WANTED" >&2
    exit 1
fi
if [ -z "$WANTED" ] && [ -s "$record" ] && [ "$(cat "$record")" != "$id" ]; then
    echo "error: this is the cluster $id, and the hub was installed on $(cat "$record"); where" \
        "that is meant, name it: the setting cluster_id" >&2
    exit 1
fi
version=$(CLUSTER=any "$helm" version --short)
version=${version%%+*}
case $version in
v3.1[3-9].* | v3.[2-9][0-9].*) ;;
*)
    echo "error: Helm there is $version; 3.13 or a later 3 is needed, which asks the server in a dry run" >&2
    exit 1
    ;;
esac
printf '%s\n' "$id" >"$record"
echo "The cluster is $id, and Helm $version reaches it."
