"""Brings one workload of Kubernetes to other images, watches it, and takes it back where it fails.

rollout.py JSON, on a machine with kubectl: see `Order`. It lives on where nobody watches: whoever
began it may close the laptop, and a workload that does not stand is taken back all the same.

When a workload stands is as `kubectl rollout status` has it (pkg/polymorphichelpers of kubectl
1.31); pods that cannot begin or crash again and again are not waited for until the end. What is
put back is the former template to the byte: one that anybody else changed meanwhile is left.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from installer.steps.on_machine.kube import (
    BACK,
    CHANGED,
    LEFT,
    NOT_BACK,
    REVISION,
    Ended,
    Silent,
    Workload,
    ordered,
    owned,
    say,
)
from installer.steps.on_machine.watching import Watch, ready, restarts_of, show


def end_stuck(workload: Workload, marked: str) -> None:
    """End the pods of a stateful set that never stood with the failed template.

    Its controller waits for them before it puts back the former one (kubernetes.io, StatefulSets,
    "Forced rollback"). Nothing that is ready is ended, and no other than was looked at.
    """
    for pod in workload.every("pods", f"--selector={REVISION}={marked}"):
        meta = pod["metadata"]
        owners = meta.get("ownerReferences") or ()
        if ready(pod) or not any(one.get("uid") == workload.order["uid"] for one in owners):
            continue
        say(f"{meta['name']} never stood; it is made anew from the former template")
        only = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only}
        place = f"/api/v1/namespaces/{workload.namespace}/pods/{meta['name']}"
        try:
            workload.kubectl("delete", "--raw", place, "--filename", "-", stdin=json.dumps(body))
        except Silent as silent:
            say(f"it was not ended: {silent}")


def taken_back(workload: Workload, why: str) -> NoReturn:
    """Put the former template back and wait until it stands; raises Ended."""
    try:
        thing = workload.read_in_the_end()
        marked = str((thing.get("status") or {}).get("updateRevision") or "")
        if not workload.changed("after", "to", "from"):
            raise Ended(LEFT, f"{why}; somebody else changed it meanwhile, so it was left")
        say("the former template is put back")
        if workload.kind == "statefulset" and marked:
            end_stuck(workload, marked)
        known = restarts_of(workload.pods(workload.read_in_the_end()))
        again, pod = Watch(workload, known).until_it_stands("before", early=False)
    except Silent as silent:
        raise Ended(NOT_BACK, f"{why}; how it stands now is not known: {silent}") from silent
    if again:
        show(workload, pod)
        raise Ended(NOT_BACK, f"{why}; its former template is back, and {again}")
    raise Ended(BACK, f"{why}; its former template is back, unchanged, and it stands")


def brought(workload: Workload) -> None:
    """Bring it to the new images and watch it; raises Ended, and Silent where nothing was done."""
    thing = workload.read()
    stand = workload.stand(thing)
    if stand == "other":
        raise Ended(CHANGED, "it was changed since the list was made; nothing was done")
    if owned(thing) != workload.order["owned"]:
        raise Ended(CHANGED, "another owner marks it than when the list was made; nothing was done")
    if thing["spec"].get("paused") and stand == "before":
        raise Ended(CHANGED, "its rollout is paused; nothing was done")
    known = restarts_of(workload.pods(thing)) if stand == "before" else {}
    if stand == "before" and not workload.changed("before", "from", "to"):
        raise Ended(CHANGED, "it was changed at the same moment; nothing was done")
    for change in workload.order["changes"]:
        say(f"{change['container']}: {change['from']} -> {change['to']}")
    why, pod = Watch(workload, known).until_it_stands("after")
    if why:
        say(why)
        show(workload, pod)
        if migrates := workload.order.get("migrates"):
            data = f"{migrates} may have changed its data, so the former images are not put back"
            raise Ended(LEFT, f"{why}; {data}")
        taken_back(workload, why)


def put_back(workload: Workload) -> None:
    """Take back what was brought: for an undo of a person; raises Ended."""
    stand = workload.stand(workload.read())
    if stand == "other" or (stand == "after" and not workload.changed("after", "to", "from")):
        raise Ended(CHANGED, "it was changed since; nothing was done")
    why, pod = Watch(workload, {}).until_it_stands("before")
    if why:
        show(workload, pod)
        raise Ended(NOT_BACK, f"its former template is back, and {why}")


def main(words: list[str]) -> int:
    """What is ordered, to its end; the exit status."""
    order = json.loads(words[0])
    workload = Workload(order)
    act = put_back if order.get("back") else brought
    return ordered(
        lambda: act(workload),
        lambda: bool(workload.begun),
        "the cluster was not to be asked",
        "the cluster's",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
