"""How Vault's pods are asked and told, on a master of the cluster. Written by Sitewright.

vaults.py VERB NAMESPACE, with one JSON document on standard input where the verb wants one. The
answer is one JSON document. Exit status: 0 it was answered, 2 it could not be (why, on standard
error). Shares and tokens come and go over standard input and output alone, and from here to Vault
over kubectl's port-forward: by TLS to the API and the kubelet, then the pod's own loopback.

After hashicorp/vault v1.21.4, http/sys_init.go, sys_seal.go, sys_generate_root.go, sys_leader.go.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

ANSWERED, UNTOLD = 0, 2
KUBECTL = ("microk8s", "kubectl")
SERVERS = "app.kubernetes.io/name=vault,component=server"
"""The labels of the chart hashicorp/vault-helm (templates/server-statefulset.yaml)."""
KEPT = "sitewright-vault"
"""The ConfigMap that says how far the handing over is; nothing in it is secret."""
PORT = 8200
QUESTION_SECONDS = 60
STREAM_SECONDS = 600
"""Without a byte, where much comes or goes."""
LARGEST = 1 << 20
JOIN_SECONDS = 180
"""For a Vault to join the quorum, to open after its shares, and for one of them to be active."""

Json = dict[str, Any]


class Untold(Exception):
    """A question that got no answer."""


class Refused(Exception):
    """Vault answered, and said no."""

    def __init__(self, status: int, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors) or f"HTTP status {status}")
        self.status = status


def kubectl(*words: str, stdin: str | None = None, seconds: int = QUESTION_SECONDS) -> str:
    """What kubectl answers; raises Untold."""
    what = f"kubectl {' '.join(words[:2])}"
    try:
        done = subprocess.run(
            [*KUBECTL, *words],
            input=stdin, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Untold(f"{what}: {error}") from error
    if done.returncode != 0:
        raise Untold(f"{what}: {' '.join(done.stderr.split())[:500] or done.returncode}")
    return done.stdout


def asked(*words: str) -> Json:
    """What kubectl answers as JSON; raises Untold."""
    try:
        answer = json.loads(kubectl(*words, "-o", "json"))
    except (ValueError, RecursionError) as error:
        raise Untold(f"kubectl {words[0]} answered something else: {error}") from error
    if not isinstance(answer, dict):
        raise Untold(f"kubectl {words[0]} answered something else")
    return answer


# ---- one Vault


class Vault:
    """The Vault in one pod, while a way to it is open."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, body: Json | None = None, token: str = "") -> Json:
        """What it answers, whatever its status; raises Refused and Untold."""
        status, answer = self.told(method, path, body, token)
        if status >= 400:
            raise Refused(status, [str(one) for one in answer.get("errors") or ()])
        return answer

    def told(
        self, method: str, path: str, body: Json | None = None, token: str = ""
    ) -> tuple[int, Json]:
        """Its status and its answer; raises Untold where it gave none that is Vault's."""
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if token:
            headers["X-Vault-Token"] = token
        raw = b""
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=QUESTION_SECONDS)
        try:
            line.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            raw = answer.read(LARGEST)
            if not raw.strip():
                return answer.status, {}
            value = json.loads(raw)
        except (OSError, http.client.HTTPException) as error:
            raise Untold(f"no answer: {type(error).__name__} {error}") from error
        except (ValueError, RecursionError) as error:
            tls = b"HTTP request to an HTTPS server" in raw
            why = "it wants TLS, which is not built here" if tls else "that is no answer of Vault's"
            raise Untold(why) from error
        finally:
            line.close()
        if not isinstance(value, dict):
            raise Untold("that is no answer of Vault's")
        return answer.status, value

    @contextmanager
    def streamed(
        self, method: str, path: str, token: str, body: IO[bytes] | None = None, size: int = 0
    ) -> Iterator[http.client.HTTPResponse]:
        """Its answer as it comes, where it may be long or what is sent is; raises as `ask`."""
        headers = {"X-Vault-Request": "true", "X-Vault-Token": token}
        if body is not None:
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=STREAM_SECONDS)
        try:
            line.request(method, f"/v1/{path}", body, headers)
            answer = line.getresponse()
            if answer.status >= 400:
                told = json.loads(answer.read(LARGEST) or b"{}")
                raise Refused(answer.status, [str(one) for one in told.get("errors") or ()])
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise Untold(f"no whole answer: {type(error).__name__} {error}") from error
        except (ValueError, AttributeError, RecursionError) as error:
            raise Untold("that is no answer of Vault's") from error
        finally:
            line.close()

    def state(self) -> Json:
        """How it stands: what it says of its seal, and whether it is the active one."""
        seal = self.ask("GET", "sys/seal-status")
        if not isinstance(seal.get("sealed"), bool) or not isinstance(
            seal.get("initialized"), bool
        ):
            raise Untold("it does not say whether it is sealed")
        said = "sealed"
        if not seal["initialized"]:
            said = "uninitialised"
        elif not seal["sealed"]:
            _, health = self.told("GET", "sys/health?standbyok=true&perfstandbyok=true")
            said = "standby" if health.get("standby") is not False else "active"
        return {
            "said": said,
            "initialized": seal["initialized"],
            "shares": seal.get("n") or 0,
            "threshold": seal.get("t") or 0,
            "type": str(seal.get("type") or ""),
            "version": str(seal.get("version") or ""),
        }


@contextmanager
def way_to(namespace: str, pod: str) -> Iterator[Vault]:
    """A way to the Vault of a pod, whether or not the pod is Ready; raises Untold."""
    words = [*KUBECTL, "-n", namespace, "port-forward", f"pod/{pod}", f":{PORT}"]
    # It writes a line for each connection: into a pipe that nobody reads it could not for long.
    with tempfile.TemporaryFile() as told:
        # A group of its own, since microk8s' kubectl is a script around the program.
        forward = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield Vault(_port_of(forward, told.fileno()))
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(forward.pid, number)
                    forward.wait(timeout=5)
                    break
                except ProcessLookupError:
                    break
                except subprocess.TimeoutExpired:
                    continue


def _port_of(forward: subprocess.Popen[bytes], told: int) -> int:
    """The port that kubectl says it listens on."""
    said, over = b"", False
    until = time.monotonic() + QUESTION_SECONDS
    while time.monotonic() < until and not over:
        over = forward.poll() is not None
        said = os.pread(told, LARGEST, 0)
        found = re.search(rb"Forwarding from 127\.0\.0\.1:(\d+) ", said)
        if found:
            return int(found[1])
        time.sleep(0.05)
    last = said.decode("utf-8", "replace").split()
    raise Untold(f"no way to it: {' '.join(last)[-300:] or 'kubectl said nothing'}")


# ---- all of them


def pods_of(namespace: str) -> list[Json]:
    """Vault's pods by their number."""
    items = asked("-n", namespace, "get", "pods", "-l", SERVERS)["items"]
    return sorted(items, key=lambda pod: (len(name_of(pod)), name_of(pod)))


def name_of(thing: Json) -> str:
    return str(thing["metadata"]["name"])


def wanted_of(namespace: str) -> int:
    """How many there should be."""
    sets = asked("-n", namespace, "get", "statefulsets", "-l", "app.kubernetes.io/name=vault")
    return sum(int(one["spec"].get("replicas", 1)) for one in sets["items"])


def state(namespace: str) -> Json:
    """How many there should be, how each stands, and what is kept of the handing over."""
    found = []
    for pod in pods_of(namespace):
        one: Json = {"pod": name_of(pod), "node": pod["spec"].get("nodeName") or ""}
        phase = str(pod.get("status", {}).get("phase") or "")
        if pod["metadata"].get("deletionTimestamp"):
            phase = "Terminating"
        one["why"] = "" if phase == "Running" else f"its pod is {phase or 'not there'}"
        if phase == "Running":
            try:
                with way_to(namespace, one["pod"]) as vault:
                    one.update(vault.state())
            except (Untold, Refused) as error:
                one["why"] = str(error)
        found.append({"said": "unknown", "initialized": None, **one})
    return {"wanted": wanted_of(namespace), "pods": found, "kept": kept(namespace)}


def kept(namespace: str) -> Json:
    """What is kept in the cluster of the handing over; {} where nothing is."""
    found = asked("-n", namespace, "get", "configmaps", "--field-selector", f"metadata.name={KEPT}")
    for one in found["items"]:
        try:
            value = json.loads((one.get("data") or {}).get("state") or "{}")
        except (ValueError, RecursionError) as error:
            raise Untold(f"the ConfigMap {KEPT} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise Untold(f"the ConfigMap {KEPT} holds something else")
        return value
    return {}


def keep(namespace: str, value: Json) -> Json:
    """Keep how far it is."""
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": KEPT, "namespace": namespace},
        "data": {"state": json.dumps(value)},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(made))
    return {}


# ---- initialising and opening


def init(namespace: str, given: Json) -> Json:
    """Initialise the first Vault; its answer, which nobody has a second time."""
    with way_to(namespace, str(given["pod"])) as vault:
        body = {"secret_shares": given["shares"], "secret_threshold": given["threshold"]}
        if given.get("pgp_keys"):
            body["pgp_keys"] = given["pgp_keys"]
        try:
            answer = vault.ask("PUT", "sys/init", body)
        except Refused as error:
            return {"refused": str(error)}
    return {"shares": answer["keys"], "root": answer["root_token"]}


def unseal(namespace: str, given: Json) -> Json:
    """Open each sealed Vault with the shares, those first that have something to open."""
    opened: list[str] = []
    found = [pod for pod in state(namespace)["pods"] if pod["said"] != "unknown"]
    for one in sorted(found, key=lambda pod: not pod["initialized"]):
        if one["said"] not in ("sealed", "uninitialised"):
            continue
        with way_to(namespace, one["pod"]) as vault:
            _until(vault, lambda now: now["initialized"], f"{one['pod']} does not join the others")
            if vault.state()["said"] != "sealed":
                continue
            # What somebody else began would be counted with ours.
            vault.ask("PUT", "sys/unseal", {"reset": True})
            for share in given["shares"]:
                try:
                    vault.ask("PUT", "sys/unseal", {"key": share})
                except Refused as error:
                    return {"refused": str(error), "pod": one["pod"], "opened": opened}
            _until(
                vault,
                lambda now: now["said"] in ("standby", "active"),
                f"{one['pod']} took all shares and stays sealed",
            )
        opened.append(one["pod"])
    now = state(namespace)
    able = sum(pod["said"] in ("standby", "active") for pod in now["pods"])
    if opened and 2 * able > now["wanted"]:
        active(namespace)  # they choose one, which takes some seconds
    return {"opened": opened}


def _until(vault: Vault, holds: Any, why: str) -> None:
    """Wait until a Vault stands as it should; raises Untold."""
    until = time.monotonic() + JOIN_SECONDS
    while True:
        now = vault.state()
        if holds(now):
            return
        if time.monotonic() > until:
            raise Untold(f"{why} within {JOIN_SECONDS} s (it is {now['said']})")
        time.sleep(1.0)


def set_aside(namespace: str, given: Json) -> Json:
    """Move what sealed Vaults keep into a folder beside it, and have them begin with nothing.

    Nothing is deleted: to move it back, and to delete the pods once more, undoes it.
    """
    standing = state(namespace)
    if any(pod["said"] not in ("sealed", "uninitialised") for pod in standing["pods"]):
        raise Untold("one of them is open, or does not say how it stands")
    script = (
        'cd /vault/data && mkdir -p "$1" && for one in * .[!.]*; do case $one in set-aside-*) ;; '
        '*) [ ! -e "$one" ] || mv "$one" "$1/" || exit 1 ;; esac; done'
    )
    for pod in standing["pods"]:
        words = ["-n", namespace, "exec", pod["pod"], "--", "sh", "-c", script, "sh", given["name"]]
        kubectl(*words)
    names = [pod["pod"] for pod in standing["pods"]]
    kubectl("-n", namespace, "delete", "pod", *names, "--wait=true", "--timeout=120s", seconds=150)
    until = time.monotonic() + JOIN_SECONDS
    while True:
        now = state(namespace)["pods"]
        if len(now) == len(names) and all(pod["said"] == "uninitialised" for pod in now):
            return {"pods": names}
        if time.monotonic() > until:
            raise Untold(f"they did not come back with nothing within {JOIN_SECONDS} s")
        time.sleep(2.0)


# ---- the first rights


def rights(namespace: str, given: Json) -> Json:
    """Give the first rights with a root token, then revoke every root token, and prove it.

    The token is the one that is given, or one that the shares make. It is revoked even where the
    rights could not be given.
    """
    with way_to(namespace, active(namespace)) as vault:
        token = str(given.get("root") or "")
        if token and vault.told("GET", "auth/token/lookup-self", token=token)[0] != 200:
            token = ""  # it was revoked already
        if not token and not given.get("shares"):
            return {"needs": "shares"}
        if not token:
            try:
                token = made_root(vault, given["shares"])
            except Refused as error:
                return {"refused": str(error)}
        why = ""
        done: list[str] = []
        try:
            for one in _given(vault, token, given.get("rights") or {}):
                done.append(one)
        except (Refused, Untold) as error:
            why = str(error)
        peers = _peers(vault, token)
        revoked = _no_root_left(vault, token)
    return {"done": done, "why": why, "revoked": revoked, "peers": peers}


def active(namespace: str) -> str:
    """The pod of the active Vault, waited for a while; raises Untold."""
    until = time.monotonic() + JOIN_SECONDS
    while True:
        pods = [pod["pod"] for pod in state(namespace)["pods"] if pod["said"] == "active"]
        if len(pods) == 1:
            return str(pods[0])
        if time.monotonic() > until:
            raise Untold(f"no Vault became the active one within {JOIN_SECONDS} s")
        time.sleep(1.0)


def made_root(vault: Vault, shares: Sequence[str]) -> str:
    """A new root token, by the shares; raises Refused where they are not the right ones."""
    try:
        if vault.ask("GET", "sys/generate-root/attempt").get("started"):
            vault.ask("DELETE", "sys/generate-root/attempt")
        begun = vault.ask("PUT", "sys/generate-root/attempt", {})
    except Refused as error:
        raise Untold(f"it makes no root token by shares ({error})") from error
    try:
        for share in shares:
            step = {"key": share, "nonce": begun["nonce"]}
            answer = vault.ask("PUT", "sys/generate-root/update", step)
            if answer.get("complete"):
                return _decoded(str(answer["encoded_token"]), str(begun["otp"]))
    except Refused:
        vault.told("DELETE", "sys/generate-root/attempt")
        raise
    vault.told("DELETE", "sys/generate-root/attempt")
    raise Refused(400, ["these shares are too few"])


def _decoded(encoded: str, otp: str) -> str:
    """vault/command/operator_generate_root.go: base64 without padding, each byte by the OTP's."""
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except (ValueError, binascii.Error) as error:
        raise Untold("the root token that Vault made cannot be read") from error
    return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=False)).decode()


def _given(vault: Vault, token: str, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Give what is not there; one sentence for each thing that was."""
    have = vault.ask("GET", "sys/audit", token=token)
    for name, one in (wanted.get("audit") or {}).items():
        if f"{name}/" not in (have.get("data") or have):
            vault.ask("PUT", f"sys/audit/{name}", one, token)
            yield f"audit device {name}"
    have = vault.ask("GET", "sys/auth", token=token)
    for name, one in (wanted.get("auth") or {}).items():
        if f"{name}/" not in (have.get("data") or have):
            vault.ask("POST", f"sys/auth/{name}", {"type": one["type"]}, token)
            yield f"login by {name}"
        vault.ask("POST", f"auth/{name}/config", one["config"], token)
    for name, text in (wanted.get("policies") or {}).items():
        status, now = vault.told("GET", f"sys/policies/acl/{name}", token=token)
        if status == 404 or (now.get("data") or {}).get("policy") != text:
            vault.ask("PUT", f"sys/policies/acl/{name}", {"policy": text}, token)
            yield f"policy {name}"
    for place, one in (wanted.get("roles") or {}).items():
        vault.ask("POST", f"auth/{place}", one, token)
        yield f"role {place}"


def _peers(vault: Vault, token: str) -> list[str]:
    """The members of the quorum, as far as Vault tells."""
    try:
        answer = vault.ask("GET", "sys/storage/raft/configuration", token=token)
        servers = answer["data"]["config"]["servers"]
        return [f"{one['node_id']}{'' if one['voter'] else ' (no voter yet)'}" for one in servers]
    except (Refused, Untold, KeyError, TypeError):
        return []


def _no_root_left(vault: Vault, token: str) -> str:
    """Revoke every root token, this one last; "" where all are proven to be gone, else why not."""
    try:
        listed = vault.ask("LIST", "auth/token/accessors", token=token)["data"]["keys"]
        own = vault.ask("GET", "auth/token/lookup-self", token=token)["data"]["accessor"]
        for accessor in listed:
            if accessor == own:
                continue
            body = {"accessor": accessor}
            status, seen = vault.told("POST", "auth/token/lookup-accessor", body, token)
            if status in (403, 404):
                continue  # it has ended meanwhile
            if status != 200:
                raise Untold(f"of one token it does not say what it may (HTTP status {status})")
            if "root" not in seen["data"]["policies"]:
                continue
            vault.ask("POST", "auth/token/revoke-accessor", body, token)
        vault.ask("POST", "auth/token/revoke-self", {}, token)
        status, _ = vault.told("GET", "auth/token/lookup-self", token=token)
    except (Refused, Untold, KeyError, TypeError) as error:
        return f"the root token could not be revoked: {error}"
    return "" if status == 403 else f"Vault still knows the root token (HTTP status {status})"


def main(words: Sequence[str]) -> int:
    verbs = {"init": init, "unseal": unseal, "rights": rights, "keep": keep, "set-aside": set_aside}
    try:
        verb, namespace = words
        if verb == "state":
            answer = state(namespace)
        elif verb in verbs:
            answer = verbs[verb](namespace, json.load(sys.stdin))
        else:
            raise Untold(f"there is no verb {verb}")
    except (Untold, OSError) as error:
        print(error, file=sys.stderr)
        return UNTOLD
    except Refused as error:
        print(f"Vault refuses: {error}", file=sys.stderr)
        return UNTOLD
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        # Neither value nor place: an answer may hold a share.
        print(f"an answer is not as it should be ({type(error).__name__})", file=sys.stderr)
        return UNTOLD
    print(json.dumps(answer))
    return ANSWERED


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
