# That the cluster is the one that the site means: what the ground told all modules says so.
if ! found=$(kubectl --kubeconfig {{ kubeconfig }} get configmap global -n default --ignore-not-found \
    -o 'jsonpath={.data.installation-name} {.data.installation-domain}'); then
    echo "error: the cluster does not say which installation it holds, so nothing was removed" >&2
    exit 1
fi
wanted={{ installation_name ~ " " ~ domain }}
if [ -z "$found" ]; then
    echo "error: the cluster of this kubeconfig holds no installation of MOSIP (configmap global in" \
        "default), so nothing was removed" >&2
    exit 1
fi
if [ "$found" != "$wanted" ]; then
    echo "error: the cluster of this kubeconfig holds the installation $found, and the site is" \
        "$wanted; nothing was removed" >&2
    exit 1
fi
echo "The cluster holds the installation $found."
