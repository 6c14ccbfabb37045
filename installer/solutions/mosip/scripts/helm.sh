version=$(helm version --short)
version=${version%%+*}
case $version in
v3.1[3-9].* | v3.[2-9][0-9].*) ;;
*)
    echo "error: Helm there is $version; 3.13 or a later 3 is needed, by whose labels a removal" \
        "knows which releases are this site's" >&2
    exit 1
    ;;
esac
echo "Helm is $version."
