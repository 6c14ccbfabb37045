# What stays once the releases are gone, by the namespaces that Sitewright laid: volumes, kept secrets,
# and what others have there.
python3 -I - {{ kubeconfig }} <<'END'
import json, subprocess, sys

(kubeconfig,) = sys.argv[1:]


def read(program, *words):
    told = subprocess.run(
        [program, "--kubeconfig", kubeconfig, *words], capture_output=True, text=True
    )
    if told.returncode != 0:
        print(told.stderr.strip(), file=sys.stderr)
        print(f"error: it cannot be told what stays: {program} {words[0]} failed", file=sys.stderr)
        sys.exit(1)
    return json.loads(told.stdout)


def items(*words):
    return read("kubectl", "get", *words, "-o", "json")["items"]


def ours(one):
    fields = one["metadata"].get("managedFields") or ()
    return any(field.get("manager") == "sitewright" for field in fields)


laid = [one["metadata"]["name"] for one in items("namespaces", "--show-managed-fields") if ours(one)]
stays = {name: [] for name in laid}


def tell(namespace, words):
    if namespace in stays:
        stays[namespace].append(words)


for one in items("persistentvolumes"):
    claim = one["spec"].get("claimRef") or {}
    size = (one["spec"].get("capacity") or {}).get("storage", "?")
    tell(claim.get("namespace"), f"volume {one['metadata']['name']} of {claim.get('name')} ({size})")
for one in items("secrets", "--all-namespaces"):
    kept = (one["metadata"].get("annotations") or {}).get("sitewright/kept-of")
    if kept:
        tell(one["metadata"]["namespace"], f"secret {one['metadata']['name']}")
for one in items("deployments,statefulsets,daemonsets,cronjobs", "--all-namespaces"):
    meta = one["metadata"]
    tell(meta["namespace"], f"{one['kind'].lower()} {meta['name']}, which is no release of this site")
for one in read("helm", "list", "--all", "--all-namespaces", "--max", "0", "-o", "json"):
    tell(one["namespace"], f"release {one['name']} ({one['chart']}), which this site does not name")
for name, found in stays.items():
    for words in found:
        print(f"{name}: {words} stays.")
print(f"{len(laid)} namespaces stay: {', '.join(laid)}." if laid else "No namespace of Sitewright's is there.")
print("The configmap global and both gateways stay as well.")
END
