# Whether the user of the kubeconfig may do what will be done. A SelfSubjectAccessReview is a
# question: nothing is made by it. All are asked at once.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
ask() {
    # A verb, a group, a resource with its part behind a slash, the namespace.
    echo '{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec":' \
        '{"resourceAttributes": {"verb": "'"$1"'", "group": "'"$2"'", "resource": "'"${3%%/*}"'",' \
        '"subresource": "'"$(printf %s "$3" | sed -n 's,.*/,,p')"'", "namespace": "'"$4"'"}}}'
}
questions() {
    "$kubectl" get namespace "$NAMESPACE" -o name >/dev/null 2>&1 || ask create "" namespaces ""
    for what in secrets configmaps services serviceaccounts resourcequotas limitranges pods \
        apps:deployments apps:statefulsets batch:jobs networking.k8s.io:ingresses \
        networking.k8s.io:networkpolicies policy:poddisruptionbudgets; do
        group=""
        case $what in *:*) group=${what%%:*} ;; esac
        ask create "$group" "${what#*:}" "$NAMESPACE"
        ask delete "$group" "${what#*:}" "$NAMESPACE"
    done
    ask get "" pods/log "$NAMESPACE"
    ask create "" pods/exec "$NAMESPACE"
}
if ! answers=$(questions | "$kubectl" create --validate=false -f - -o \
    'jsonpath={.status.allowed} {.spec.resourceAttributes.verb} {.spec.resourceAttributes.resource} {.spec.resourceAttributes.subresource}{"\n"}'); then
    echo "error: the cluster does not say what the user of the kubeconfig may do" >&2
    exit 1
fi
# What is not allowed may be left out of an answer altogether.
lacking=$(printf '%s\n' "$answers" | awk '$1 != "true" {
    sub(/^false/, ""); gsub(/^ +| +$/, "")
    if (++many <= 6) {printf "%s%s", sep, $0; sep = ", "}
} END {if (many > 6) printf " and %d more", many - 6}')
if [ -n "$lacking" ]; then
    who=$("$kubectl" auth whoami -o 'jsonpath={.status.userInfo.username}' 2>/dev/null || echo "the user")
    echo "error: $who of the kubeconfig may not: $lacking (in $NAMESPACE); nothing was changed" >&2
    exit 1
fi
echo "The user of the kubeconfig may do all that will be done ($(printf '%s\n' "$answers" | grep -c true) rights)."
