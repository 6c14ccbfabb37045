# MySQL's password as the secret mysqldb of NAMESPACE; it goes over standard input alone, and server
# side, so that no annotation keeps a copy.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
owner=$("$kubectl" -n "$NAMESPACE" get secret mysqldb --ignore-not-found -o \
    'jsonpath={.metadata.name} {.metadata.labels.app\.kubernetes\.io/managed-by}')
case $owner in
"" | "mysqldb sitewright") ;;
*)
    echo "error: there is a secret mysqldb in $NAMESPACE that somebody else made (${owner#mysqldb});" \
        "set mysql_make_secret to no to use it, or have it removed" >&2
    exit 1
    ;;
esac
printf %s "$mysql_password" |
    "$kubectl" -n "$NAMESPACE" create secret generic mysqldb \
        --from-file=mysql-password=/dev/stdin --dry-run=client -o json |
    "$kubectl" label --local -f - app.kubernetes.io/managed-by=sitewright -o json |
    "$kubectl" -n "$NAMESPACE" apply --server-side --field-manager=sitewright -f - >/dev/null
echo "The secret mysqldb of $NAMESPACE has the password."
