"""STAND-IN for the chart of Ceph's driver, which is on the internet: one pod that only waits.

Helm, which installs it, is real. The name and the version are those that the settings take.
"""

from __future__ import annotations

from tests.lab.kubernetes import images
from tests.lab.machine import Machine

CHART = "/root/ceph-csi-rbd"
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: provisioner}}
spec:
  selector: {{matchLabels: {{app: rbd}}}}
  template:
    metadata: {{labels: {{app: rbd}}}}
    spec:
      containers: [{{name: pod, image: {image}, imagePullPolicy: Never}}]
      terminationGracePeriodSeconds: 1
"""


def lay(machine: Machine, version: str, image: str = images.POD) -> None:
    """Lay the chart down on a machine, in this version and with this image."""
    about = f"apiVersion: v2\nname: ceph-csi-rbd\nversion: {version}\n"
    machine.write_file(f"{CHART}/Chart.yaml", about)
    machine.write_file(f"{CHART}/templates/provisioner.yaml", _DEPLOYMENT.format(image=image))
