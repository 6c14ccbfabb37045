# What the modules are told of the object store: MinIO's own login, and a pretext that stays once
# it was chosen (it is part of every name of a bucket).
python3 -I - {{ kubeconfig }} "${ASK:-bring}" <<'END'
import base64, json, secrets, subprocess, sys

kubeconfig, mode = sys.argv[1:]


def kubectl(*words, given=None):
    told = subprocess.run(
        ["kubectl", "--kubeconfig", kubeconfig, *words], input=given, capture_output=True, text=True
    )
    if told.returncode != 0:
        print(told.stderr.strip(), file=sys.stderr)
        sys.exit(2)
    return told.stdout


def data(kind, name, namespace):
    told = kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
    return (json.loads(told).get("data") or {}) if told.strip() else {}


minio = data("secret", "minio", "minio")
if not {"root-user", "root-password"} <= minio.keys():
    print("error: MinIO's login is not there (secret minio in minio)", file=sys.stderr)
    sys.exit(1)
have = data("secret", "s3", "s3")
user = base64.b64decode(minio["root-user"]).decode()
same = have.get("s3-user-secret") == minio["root-password"]
same = same and data("configmap", "s3", "s3").get("s3-user-key") == user
if mode == "ask" or same:
    sys.exit(not same)
pretext = have.get("s3-pretext-value") or base64.b64encode(secrets.token_hex(4).encode()).decode()
made = [
    {"kind": "ConfigMap", "data": {"s3-user-key": user, "s3-region": ""}},
    {"kind": "Secret",
     "data": {"s3-user-secret": minio["root-password"], "s3-pretext-value": pretext}},
]
for one in made:
    one.update(apiVersion="v1", metadata={"name": "s3", "namespace": "s3"})
    kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=sitewright", "-f", "-",
        given=json.dumps(one),
    )
print("The modules know MinIO's login (s3 in s3).")
END
