"""Sizing: a sizing table in words, for screens, reports and pages alike."""

from __future__ import annotations

from foundation.wording import counted
from preflight.needs import Count, DiskNeed, MachineKind, NicNeed, Shape, SolutionNeeds


def count_words(count: Count) -> str:
    """How many machines of a role: 3, 3+, 1-2."""
    if count.max is None:
        return f"{count.min}+"
    return str(count.min) if count.max == count.min else f"{count.min}-{count.max}"


def disk_words(disk: DiskNeed) -> str:
    """A need of disks: 2 x 500 GB nvme."""
    size = f"{disk.size_gb / 1000:g} TB" if disk.size_gb >= 1000 else f"{disk.size_gb} GB"
    kind = f" {disk.kinds[0].value}" if disk.kinds else ""
    if disk.total:
        return f"{size}{kind} in all"
    return f"{disk.count} x {size}{kind}" if disk.count > 1 else f"{size}{kind}"


def nic_words(nic: NicNeed) -> str:
    """A need of network interfaces: 2 x 10 GbE."""
    speed = nic.speed_mbps
    if speed is None:
        word = "NIC"
    else:
        word = f"{speed / 1000:g} GbE" if speed >= 1000 else f"{speed} Mbit/s"
    return f"{nic.count} x {word}" if nic.count > 1 or speed is None else word


def shape_words(shape: Shape) -> str:
    """What one machine of a role must have, in one line."""
    parts = []
    if shape.cpu:
        parts.append(f"{shape.cpu} CPU")
    if shape.memory_gb:
        top = shape.memory_recommended_gb
        parts.append(
            f"{shape.memory_gb:g}-{top:g} GB"
            if top and top > shape.memory_gb
            else f"{shape.memory_gb:g} GB"
        )
    parts += [disk_words(disk) for disk in shape.disks]
    parts += [nic_words(nic) for nic in shape.nics]
    if shape.machine is MachineKind.EXTERNAL:
        parts.append("not a computer to look at")
    elif shape.machine is not MachineKind.ANY:
        parts.append(shape.machine.value)
    return ", ".join(parts) or "no numbers published"


def role_lines(needs: SolutionNeeds) -> list[tuple[str, str, str]]:
    """A sizing table: count, role, what each machine must have; an alternative has a line."""
    lines = []
    for row in needs.sizing.roles:
        for n, shape in enumerate(row.shapes):
            count = count_words(row.count) if n == 0 else "or"
            word = row.role if n == 0 else ""
            text = shape_words(shape)
            if row.may_lack and n == 0:
                text += " (of the cluster)" if row.of_cluster else " (optional)"
            lines.append((count, word, text))
    return lines


def machines_needed(needs: SolutionNeeds) -> str:
    """How many machines a table asks for at least, and how many clusters that stand."""
    number = 1 if needs.single_machine else needs.sizing.fewest_machines
    clusters = needs.sizing.standing_clusters
    words = counted(number, "machine")
    return f"{words}, {counted(clusters, 'cluster')}" if clusters else words


def machines_told(needs: SolutionNeeds) -> str:
    """The same with its clusters told apart: 26 machines (22 for the …, 3 for the …, 1 for all)."""
    if not needs.clusters:
        return machines_needed(needs)
    alone = {one.title: needs.fewest_of(one) for one in needs.clusters}
    parts = [f"{number} for the {lowered(title)}" for title, number in alone.items() if number]
    shared = needs.sizing.fewest_machines - sum(alone.values())
    parts += [f"{shared} for {'both' if len(alone) == 2 else 'all'}"] if shared else []
    return f"{machines_needed(needs)} ({', '.join(parts)})"


def lowered(title: str) -> str:
    """A title in the middle of a sentence."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def table_notes(needs: SolutionNeeds, *, rows: bool = True) -> tuple[str, ...]:
    """What the tables say that no check can: of the whole, of a role, of the ports.

    "2 combined nodes have no quorum", "the size is nowhere given". Each once, in this order;
    without `rows` those of single roles are left out.
    """
    titles = [f"{row.title or row.role}: {row.note}" for row in needs.sizing.roles if row.note]
    titles = titles if rows else []
    notes = (*needs.sizing.notes, *titles, *needs.ports.notes)
    return tuple(dict.fromkeys(" ".join(note.split()) for note in notes))
