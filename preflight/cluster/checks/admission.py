"""The fifth layer: what may be refused before it begins: webhooks, quotas, PodSecurity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import are, counted, listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.cluster.case import ClusterCase, unread
from preflight.cluster.facts import Unknown, known
from preflight.cluster.quantity import quantity
from preflight.findings import Finding

_HOOKS: Final = "Kubernetes, dynamic admission control, failure policy"
_QUOTAS: Final = "Kubernetes, resource quotas"
_NEARLY: Final = 0.9


@check("admission.webhooks", title="Admission webhooks answer",
       severities=(PASS, FAIL, UNKNOWN))  # fmt: skip
def webhooks(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A webhook that fails closed and has nobody behind it refuses whatever it looks at."""
    evidence = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    hooks = known(case.facts.webhooks)
    if hooks is None:
        yield unread(
            say, case.facts.webhooks, "The admission webhooks", source=_HOOKS, evidence=evidence
        )
        return
    closed = [hook for hook in hooks if hook.fails_closed]
    untold = [hook for hook in closed if hook.service and isinstance(hook.endpoints, Unknown)]
    if untold:
        yield unread(
            say, untold[0].endpoints,
            f"Who answers for {counted(len(untold), 'webhook')} that fail closed",
            source=_HOOKS, evidence="kubectl get endpointslices -A",
        )  # fmt: skip
    far = [hook for hook in closed if not hook.service]
    if far:
        names = shortened(hook.name for hook in far)
        yield say.unknown(
            f"{counted(len(far), 'webhook')} that fail closed are called by a URL, which nobody"
            f" tried: {names}.",
            expected="something that answers behind each that fails closed",
            reason="the API server alone reaches it as it is called",
            source=_HOOKS,
            evidence=evidence,
            remedy="See that it answers from the control plane: each `clientConfig.url`.",
            subject="by URL",
        )
    dead = [hook for hook in closed if hook.service and known(hook.endpoints) == 0]
    for hook in dead:
        kind = "validating" if hook.validating else "mutating"
        namespace, _, service = hook.service.partition("/")
        left = f"{kind}webhookconfiguration {word(hook.configuration)}"
        inside = " in its namespaces" if hook.own_namespace_only else ""
        yield say.at(
            FAIL,
            f"The {kind} webhook {hook.name} fails closed, and its service {hook.service} has no"
            f" ready address: what it looks at{inside} is refused.",
            expected="a ready address behind it",
            actual="none",
            source=_HOOKS,
            evidence=f"kubectl -n {word(namespace)} get endpointslices -l"
            f" kubernetes.io/service-name={word(service)}",
            remedy=f"Mend the pods behind the service {hook.service}. Only where its program is"
            f" gone for good is its configuration left over: keep it (`kubectl get {left}"
            f" -o yaml`), then `kubectl delete {left}`.",
            undo="Apply the configuration that was kept.",
            subject=f"{hook.configuration}/{hook.name}",
        )  # fmt: skip
    if not dead and not untold and not far:
        there = counted(len(hooks), "admission webhook")
        yield say.at(
            PASS,
            f"Of {there} {len(closed)} fail closed, and each of these has an address."
            if len(closed) > 1
            else f"Of {there} one fails closed, and it has an address."
            if closed
            else f"There {are(len(hooks))} {there}, and none fails closed."
            if hooks
            else "There is no admission webhook.",
            expected="a ready address behind each that fails closed",
            actual=counted(len(closed), "webhook"),
            source=_HOOKS,
            evidence=evidence,
        )


@check("admission.quota", title="Quotas leave room", severities=(PASS, WARN, FAIL, UNKNOWN))
def quota(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """No quota of a namespace is used up."""
    evidence = "kubectl get resourcequotas -A"
    lines = known(case.facts.quotas)
    if lines is None:
        yield unread(say, case.facts.quotas, "The quotas", source=_QUOTAS, evidence=evidence)
        return
    tight = False
    unclear = []
    for line in lines:
        hard, used = quantity(line.hard), quantity(line.used)
        if hard is None or used is None:
            unclear.append(f"{line.namespace}/{line.name} {line.resource}")
            continue
        if used < hard * round(_NEARLY * 10) / 10 or hard == 0:
            continue
        tight = True
        spent = used >= hard
        yield say.at(
            case.elsewhere if spent else WARN,
            f"The quota {line.name} of {line.namespace} is"
            f" {'used up' if spent else 'nearly used up'}: {line.resource}, {line.used} of"
            f" {line.hard}.",
            expected="room for what comes",
            actual=f"{line.used} of {line.hard}",
            source=_QUOTAS,
            evidence=f"kubectl -n {word(line.namespace)} describe resourcequota {word(line.name)}",
            remedy="Raise it, or take away what is not used there: the next pod is refused.",
            subject=f"{line.namespace}/{line.name} {line.resource}",
        )
    if unclear:
        yield say.unknown(
            f"What these quotas leave could not be read: {shortened(unclear)}.",
            expected="quantities as Kubernetes writes them",
            reason="a quantity in them is none",
            source=_QUOTAS,
            evidence=evidence,
            remedy="See what they say: `kubectl describe resourcequotas -A`.",
            subject="unread",
        )
    ranges = known(case.facts.limit_ranges)
    if not tight and not unclear:
        names = sorted({line.namespace for line in lines})
        yield say.at(
            PASS,
            (f"{counted(len(names), 'namespace')} have a quota, and none is used up"
             if names else "No namespace has a quota")
            + (f"; {counted(len(ranges), 'namespace')} have limit ranges." if ranges else "."),
            expected="room for what comes",
            actual=shortened(names) or "no quota",
            source=_QUOTAS,
            evidence=evidence,
        )  # fmt: skip
    if isinstance(case.facts.limit_ranges, Unknown):
        yield unread(
            say, case.facts.limit_ranges, "The limit ranges", source="Kubernetes, limit ranges",
            evidence="kubectl get limitranges -A", subject="limits",
        )  # fmt: skip


@check("admission.security", title="PodSecurity of the namespaces",
       severities=(PASS, UNKNOWN))  # fmt: skip
def security(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """The levels that the namespaces enforce, told: a chart that wants more is refused there."""
    source, evidence = (
        "Kubernetes, Pod Security admission",
        "kubectl get namespaces -L pod-security.kubernetes.io/enforce",
    )
    spaces = known(case.facts.namespaces)
    if spaces is None:
        yield unread(say, case.facts.namespaces, "The namespaces", source=source, evidence=evidence)
        return
    levels: dict[str, list[str]] = {}
    for one in spaces:
        levels.setdefault(one.enforce or "no level", []).append(one.name)
    told = [f"{level}: {shortened(names)}" for level, names in sorted(levels.items())]
    yield say.at(
        PASS,
        f"{counted(len(spaces), 'namespace')} enforce {listed(sorted(levels)) or 'nothing'}.",
        expected="told",
        actual="; ".join(told) or "none",
        source=source,
        evidence=evidence,
    )


@check("admission.terminating", title="Namespaces that do not end",
       severities=(PASS, WARN))  # fmt: skip
def terminating(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A namespace that is being deleted takes nothing new."""
    spaces = known(case.facts.namespaces)
    if spaces is None:
        return  # told with the levels
    ending = [one.name for one in spaces if one.phase == "Terminating"]
    yield say.at(
        WARN if ending else PASS,
        f"{shortened(ending)} {'is' if len(ending) == 1 else 'are'} being deleted, and"
        f" {'takes' if len(ending) == 1 else 'take'} nothing new."
        if ending
        else "No namespace is being deleted.",
        expected="none",
        actual=listed(ending) or "none",
        source="Kubernetes, namespaces",
        evidence="kubectl get namespaces",
        remedy="See what holds it up: `kubectl get namespace NAME -o"
        " jsonpath={.status.conditions}`.",
    )
