# One release goes, where it is of the chart that it should be and has the mark of who brought it
# first; one of another chart, or without the mark, is somebody else's. What it wrote stays, and what is needed to read it: the volumes of its claims, and the
# passwords and PINs that its chart made. ask: whether it is gone.
export KUBECONFIG={{ kubeconfig }}
release={{ each.release }} namespace={{ each.namespace }} chart={{ each.chart }}
if ! there=$(helm list --all -n "$namespace" --filter "^$release\$" --no-headers); then
    echo "error: Helm does not say whether $release is in $namespace, so nothing was removed" >&2
    exit 2
fi
if [ -z "$there" ]; then
    echo "There is no release $release in $namespace."
    exit 0
fi
[ "${ASK:-}" != ask ] || exit 1
if ! printf '%s\n' "$there" | grep -qE "[[:space:]]$chart-v?[0-9]"; then
    echo "error: the release $release of $namespace is no $chart, so it was left: $there" >&2
    exit 1
fi
if ! ours=$(helm list --all -n "$namespace" --filter "^$release\$" --selector sitewright=brought --no-headers); then
    echo "error: Helm does not say who brought $release into $namespace, so nothing was removed" >&2
    exit 2
fi
if [ -z "$ours" ]; then
    echo "error: the release $release of $namespace was not brought by Sitewright (Helm has no label" \
        "sitewright=brought of it), so it was left: $there. Where it is to go, uninstall it by hand (helm -n" \
        "$namespace uninstall $release), or say that it is this site's: kubectl -n $namespace label secret" \
        "-l owner=helm,name=$release sitewright=brought" >&2
    exit 1
fi
python3 -I - "$release" "$namespace" <<'END'
import json, subprocess, sys

release, namespace = sys.argv[1:]


def kubectl(*words, given=None):
    told = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True)
    if told.returncode != 0:
        print(told.stderr.strip(), file=sys.stderr)
        print(
            f"error: what {release} of {namespace} holds cannot be kept, so it was left: kubectl"
            f" {words[0]} failed",
            file=sys.stderr,
        )
        sys.exit(1)
    return told.stdout


def of_release(kind):
    for one in json.loads(kubectl("get", kind, "-n", namespace, "-o", "json"))["items"]:
        meta = one["metadata"]
        made_by = (meta.get("annotations") or {}).get("meta.helm.sh/release-name")
        # A claim of a stateful set has no mark of Helm's.
        instance = (meta.get("labels") or {}).get("app.kubernetes.io/instance")
        if release in (made_by, instance):
            yield one


for claim in of_release("persistentvolumeclaims"):
    name, volume = claim["metadata"]["name"], claim["spec"].get("volumeName")
    if not volume:
        continue
    held = json.loads(kubectl("get", "persistentvolume", volume, "-o", "json"))
    if held["spec"].get("persistentVolumeReclaimPolicy") != "Retain":
        keep = '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}'
        kubectl("patch", "persistentvolume", volume, "--type=merge", "-p", keep)
    print(f"The volume {volume} of the claim {name} is kept.")
for secret in of_release("secrets"):
    if secret.get("type", "").startswith("helm.sh/") or not secret.get("data"):
        continue
    meta = secret["metadata"]
    # By its uid, so that the secret of another installation never takes its place.
    name = f"kept-{meta['name'][:230]}-{meta['uid'][:8]}"
    kept = {
        "apiVersion": "v1", "kind": "Secret", "data": secret["data"],
        "metadata": {"name": name, "namespace": namespace,
                     "annotations": {"sitewright/kept-of": f"{release}/{meta['name']}"}},
    }
    kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=sitewright", "-f", "-",
        given=json.dumps(kept),
    )
    print(f"The secret {meta['name']} is kept as {name}.")
END
helm -n "$namespace" uninstall "$release" --ignore-not-found --wait --timeout 10m
