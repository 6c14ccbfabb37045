"""What runs on the control host: the driver and the callback plugin, never imported here."""

from typing import Final

FENCED_OUT: Final = 124
"""Exit status of a playbook that ended itself, since another run holds its machines."""

NEEDS: Final = {
    121: "ansible-playbook is not installed on the control host",
    122: "ansible-core on the control host is too old",
    123: "the control host has no file system in memory that can be written to",
}
"""Exit statuses of the driver by which the control host lacks something."""
