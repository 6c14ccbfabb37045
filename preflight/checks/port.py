"""Checks of ports: what the solution will listen on must be free, and who holds it if it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foundation.wording import listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import sentence
from preflight.facts import BY_NO_PROGRAM, Socket, known, why_unknown
from preflight.findings import Finding, Severity
from preflight.needs import Correction, PortNeed

_KUBERNETES = frozenset(
    [
        "kubelite",
        "kubelet",
        "k3s",
        "k3s-server",
        "k3s-agent",
        "rke2",
        "k8s-dqlite",
        "kube-apiserver",
        "kube-proxy",
        "kube-controller",
        "kube-controller-manager",
        "kube-scheduler",
        "cluster-agent",
        "etcd",
        "traefik",
        "calico-node",
    ]
)
_OWN = {
    "haproxy": frozenset({"haproxy"}),
    "nginx": frozenset({"nginx"}),
    "ceph": frozenset(["microcephd", "ceph-mon", "ceph-osd", "ceph-mgr", "ceph-mds", "radosgw"]),
    "nfs": frozenset({"nfsd", "rpc.nfsd", "rpcbind"}),
    "wireguard": frozenset({"wg-quick"}),
}

STOPPED_FOR_GOOD = (
    "`sudo systemctl disable --now NAME`, and `sudo systemctl disable --now NAME.socket` where it"
    " has one, which would start it again. Where another service wants it, it is back all the"
    " same: `systemctl list-dependencies --reverse NAME` names that one."
)
"""How a service is stopped that nothing starts again: neither its socket nor who wants it."""

_TUNNELS = {"vxlan": ("vxlan.calico", "flannel."), "wireguard": ("wg",)}
"""What the kernel itself listens for, by the interfaces that it has where they are ours."""


def ports_of(need: PortNeed) -> range:
    """All ports of a line."""
    return range(need.first, need.last + 1)


def holders(sockets: Iterable[Socket], protocol: str, ports: range) -> tuple[Socket, ...]:
    """The sockets on any of the ports; one bound to the loopback alone counts, since a program
    that wants the port on all addresses is refused by it too."""
    return tuple(s for s in sockets if s.protocol == protocol and s.port in ports)


def is_own(process: str, need: PortNeed, *, kubernetes: bool) -> bool:
    """Whether a program is the very one that the solution installs on that port."""
    if kubernetes and process in _KUBERNETES:
        return True
    text = f"{need.purpose} {' '.join(need.on)}".lower().replace("load-balancer", "haproxy")
    return any(word in text and process in programs for word, programs in _OWN.items())


def correction_ranges(correction: Correction) -> Iterator[tuple[str, range]]:
    """The ports that are really used, as ranges."""
    for port in correction.ports:
        first, _, last = port.partition("-")
        yield port, range(int(first), int(last or first) + 1)


@check("port.free", title="Ports are free", severities=(PASS, WARN, FAIL, UNKNOWN))
def free(case: Case, say: Say) -> Iterator[Finding]:
    """Every port that the machine's roles will listen on, and who holds it if it is taken."""
    needs = [n for n in case.needs.ports.ports if n.must_be_free and any(map(case.plays, n.on))]
    if not needs:
        return
    sockets = known(case.facts.network.sockets)
    if sockets is None:
        yield say.unknown(
            f"It could not be told which ports are taken on {case.name};"
            f" {shortened((n.port for n in needs), 6)} must be free.",
            expected=f"free: {listed(n.port for n in needs)}",
            reason=why_unknown(case.facts.network.sockets),
            source="; ".join(dict.fromkeys(n.source for n in needs)),
            evidence="sudo ss -Htulpn",
        )
        return
    stated = {need.corrects for need in case.needs.ports.ports if need.corrects}
    done: set[tuple[str, str]] = set()
    for need in needs:
        if (need.port, need.protocol) in done:
            continue
        done.add((need.port, need.protocol))
        taken = holders(sockets, need.protocol, ports_of(need))
        yield _judged(case, say, need, need.port, taken)
        if need.correction and need.port not in stated:
            for port, ports in correction_ranges(need.correction):
                taken = holders(sockets, need.protocol, ports)
                yield _judged(case, say, need, port, taken, corrected_by=need.correction.source)


def _judged(
    case: Case,
    say: Say,
    need: PortNeed,
    port: str,
    taken: tuple[Socket, ...],
    *,
    corrected_by: str = "",
) -> Finding:
    """The finding for one line; `corrected_by` names the source where `port` corrects the line."""
    wrong = need.correction if need.correction and not corrected_by else None
    many = "-" in port
    name = f"{'Ports' if many else 'Port'} {port}{'/udp' if need.protocol == 'udp' else ''}"
    verb = "are" if many else "is"
    note = ""
    if wrong:
        note = f"; the document names {'them' if many else 'it'} and {listed(wrong.ports)} is used"
    elif need.corrects:
        note = f", which is used where the document says {need.corrects}"
    lo_hi = port.replace("-", "-:") if many else port
    filters = f"sport >= :{lo_hi.split('-:')[0]} and sport <= :{lo_hi.split('-:')[-1]}"
    evidence = f"sudo ss -H{'u' if need.protocol == 'udp' else 't'}lpn '( {filters} )'"
    severity, what = _severity(case, need, taken, wrong=wrong is not None)
    if not taken:
        title = f"{name} on {case.name} {verb} free{note}."
    else:
        title = f"{name} on {case.name} {verb} taken by {what}{note}."
    return say.at(
        severity,
        title,
        subject=f"{port}/{need.protocol}",
        expected=f"free for: {need.purpose}",
        actual=shortened(dict.fromkeys(map(_described, taken)), 6) or "free",
        source=corrected_by or (f"{need.source}; {wrong.source}" if wrong else need.source),
        evidence=evidence,
        remedy=_remedy(need, taken, what, wrong),
        undo="Start what was stopped again: `sudo systemctl enable --now NAME`.",
    )


def _severity(
    case: Case, need: PortNeed, taken: tuple[Socket, ...], *, wrong: bool
) -> tuple[Severity, str]:
    if not taken:
        return PASS, ""
    programs = list(dict.fromkeys(filter(None, (known(s.process) for s in taken))))
    unseen = {why_unknown(s.process) for s in taken if known(s.process) is None}
    hidden = bool(unseen)
    tunnel = _tunnel(case, need) if unseen == {BY_NO_PROGRAM} else ""
    if tunnel:
        nobody = f"the kernel ({tunnel})"
    elif unseen == {BY_NO_PROGRAM}:
        nobody = "the kernel or a program outside this container"
    else:
        nobody = "a program that only root can see"
    who = listed(programs + ([nobody] if hidden else []))
    # A service that is asked for by name: sshd on the SSH port is the service itself.
    if set(programs) == {"sshd"} and not hidden and "ssh" in need.purpose.lower():
        return PASS, f"{who}, as it should be"
    seen = not hidden or bool(tunnel)
    own = seen and all(is_own(p, need, kubernetes=case.kubernetes) for p in programs)
    if own or _in_docker(case, programs, hidden=hidden):
        return WARN, f"{who}: it may be installed already"
    if wrong:
        return WARN, who
    if need.when:
        return WARN, f"{who}, which matters only where {need.when} is used"
    return FAIL, who


def _tunnel(case: Case, need: PortNeed) -> str:
    """The interface by which the kernel listens on that port as the solution would have it."""
    starts = [
        start
        for word, names in _TUNNELS.items()
        if need.protocol == "udp" and word in need.purpose.lower()
        for start in names
    ]
    nics = known(case.facts.network.nics) or ()
    return next((nic.name for nic in nics if nic.name.startswith(tuple(starts))), "")


def _in_docker(case: Case, programs: list[str], *, hidden: bool) -> bool:
    """Whether a container may hold the port, which may be the installation's own of before.

    Whose container it is tells Docker, whom the installation asks before it starts anything.
    """
    if case.platform.docker is None or known(case.facts.docker.engine) is None:
        return False
    return set(programs) <= {"docker-proxy"} and (bool(programs) or hidden)


def _described(socket: Socket) -> str:
    address = f"[{socket.address}]" if ":" in socket.address else socket.address
    pid = known(socket.pid)
    name = known(socket.process) or f"process not seen ({why_unknown(socket.process)})"
    return f"{address}:{socket.port} {name}{f' (pid {pid})' if pid else ''}"


def _remedy(need: PortNeed, taken: tuple[Socket, ...], what: str, wrong: Correction | None) -> str:
    explanation = f" {sentence(wrong.reason)}" if wrong else ""
    if "already" in what:
        return (
            "If it is left from an earlier attempt, remove it; if it is in use, this machine is not"
            f" free for a new installation.{explanation}"
        )
    pids = [str(pid) for s in taken if (pid := known(s.pid))]
    look = f"`ps -fp {','.join(dict.fromkeys(pids))}`" if pids else "`sudo ss -tulpn`"
    return (
        f"See what it is with {look}, then stop it for good: {STOPPED_FOR_GOOD}"
        f" Or let it listen on another port than {need.port}.{explanation}"
    )
