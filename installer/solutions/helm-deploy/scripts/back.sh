# The release moja of NAMESPACE as it was before its last good revision that is another.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
helm=/var/lib/sitewright/helm-deploy/helm
history=$("$helm" history moja -n "$NAMESPACE" --max 256 --output table)
printf '%s\n' "$history"
last=$(printf '%s\n' "$history" | awk 'NR > 1 {last = $1} END {print last}')
# The columns are parted by tabs; the status is the third.
before=$(printf '%s\n' "$history" | awk -F '\t' -v last="$last" '
    NR > 1 {gsub(/ /, "", $1); gsub(/ /, "", $3)}
    NR > 1 && $1 != last && ($3 == "superseded" || $3 == "deployed") {before = $1} END {print before}')
case $before in
"" | *[!0-9]*)
    echo "error: there is no revision before $last that stood, so there is nothing to go back to" >&2
    exit 1
    ;;
esac
echo "From revision $last back to $before."
"$helm" rollback moja "$before" -n "$NAMESPACE" --wait --timeout 40m
"$kubectl" -n "$NAMESPACE" get deployments --no-headers -o \
    'custom-columns=NAME:.metadata.name,IMAGE:.spec.template.spec.containers[0].image'
