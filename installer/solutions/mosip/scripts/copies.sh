# Brings what one namespace gives out into another, as upstream's copy_cm_func.sh does. ask: whether
# it is the same in both; away: take the copies away, and nothing that others made. Nothing of it is
# written anywhere but into the cluster.
python3 -I - {{ kubeconfig }} {{ each.namespace }} {{ each.what }} "${ASK:-bring}" <<'END'
import json, subprocess, sys

kubeconfig, target, what, mode = sys.argv[1:]


def kubectl(*words, given=None):
    return subprocess.run(
        ["kubectl", "--kubeconfig", kubeconfig, *words], input=given, capture_output=True, text=True
    )


def read(kind, name, namespace):
    told = kubectl(
        "-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found",
        "--show-managed-fields",
    )
    if told.returncode != 0:
        print(told.stderr.strip(), file=sys.stderr)
        sys.exit(2)
    return json.loads(told.stdout) if told.stdout.strip() else None


def kept(found):
    return None if found is None else (found.get("data") or {}, found.get("type"))


def brought(copy):
    fields = copy["metadata"].get("managedFields") or ()
    return any(field.get("manager") == "sitewright" for field in fields)


lacking, different = [], []
for word in what.split():
    kind, name, source = word.split("/")
    if mode == "away":
        copy = read(kind, name, target)
        if copy is None:
            continue
        if not brought(copy):
            print(f"{kind} {name} of {target} was not brought there, so it stays")
            continue
        done = kubectl("-n", target, "delete", kind, name, "--ignore-not-found")
        if done.returncode != 0:
            print(f"error: {kind} {name}: {done.stderr.strip()}", file=sys.stderr)
            sys.exit(1)
        continue
    found = read(kind, name, source)
    if found is None:
        lacking.append(f"{kind} {name} in {source}")
        continue
    if kept(found) == kept(read(kind, name, target)):
        continue
    different.append(f"{kind} {name}")
    if mode == "ask":
        continue
    made = {key: found[key] for key in ("apiVersion", "kind", "type", "data") if key in found}
    made["metadata"] = {"name": name, "namespace": target}
    done = kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=sitewright", "-f", "-",
        given=json.dumps(made),
    )
    if done.returncode != 0:
        print(f"error: {kind} {name}: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(1)
    print(f"{kind} {name} of {source} is in {target}")
if lacking:
    print(f"error: it is not there: {', '.join(lacking)}", file=sys.stderr)
if lacking or (mode == "ask" and different):
    sys.exit(1)
END
