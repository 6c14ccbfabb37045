# A claim of the default class is bound, and goes again with its volume: driver, server and export work.
kube() { kubectl --kubeconfig {{ kubeconfig }} -n nfs "$@"; }
name=sitewright-trial
gone() {
    volume=$(kube get persistentvolumeclaim "$name" --ignore-not-found -o 'jsonpath={.spec.volumeName}')
    # It is empty, and would stay for ever: the class keeps what it makes.
    [ -z "$volume" ] || kube patch persistentvolume "$volume" -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
    kube delete persistentvolumeclaim "$name" --ignore-not-found --timeout=60s
}
gone
kube create -f - <<'END'
{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "sitewright-trial"},
 "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs-csi", "resources": {"requests": {"storage": "1Mi"}}}}
END
if ! kube wait "persistentvolumeclaim/$name" --for=jsonpath={.status.phase}=Bound --timeout=120s; then
    kube get events --field-selector "involvedObject.name=$name" --no-headers -o custom-columns=WHY:.message | tail -n 3 >&2
    gone
    echo "error: no volume was made for a claim. Is the server reached from the nodes (port 2049), and" \
        "is every node among nfs_clients?" >&2
    exit 1
fi
gone
echo "A claim was bound; it and its volume are gone again."
