# NAMESPACE, where it is not there; that it is ours stands on it, so that only ours is ever removed.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
if ! there=$("$kubectl" get namespace "$NAMESPACE" --ignore-not-found -o name); then
    echo "error: the cluster does not say whether there is a namespace $NAMESPACE" >&2
    exit 1
fi
if [ -n "$there" ]; then
    echo "The namespace $NAMESPACE is there already."
    exit 0
fi
"$kubectl" create -f - <<END
apiVersion: v1
kind: Namespace
metadata: {name: $NAMESPACE, annotations: {sitewright/made: "yes"}}
END
