"""Archives of others: what they unfold to is bounded before it is in memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import resource
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.format.problems import HostileBundle, SourceProblem
from bundles.format.tar_stream import Budget, members
from bundles.manifests import chart_archive
from bundles.manifests.chart_archive import unpack_chart
from bundles.read.apt_index import control_of
from bundles.read.opened import BlobReader
from bundles.sources.deb_licence import licence_of_deb
from bundles.sources.deb_needs import fetches_of_deb
from tests.bundles.places import need

EXAMPLES = 5000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def head(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def packed(*pieces: bytes) -> io.BytesIO:
    return io.BytesIO(gzip.compress(b"".join(pieces), compresslevel=1))


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Half a gigabyte more than there is now, and no more."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (512 << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


BOMBS = {
    "folders": lambda: packed(head("c/d", kind=tarfile.DIRTYPE) * 2500),
    "files of no interest": lambda: packed(*(head(f"c/{n}.png") for n in range(2500))),
    "an extension of a gigabyte": lambda: packed(
        head("x", 1 << 30, tarfile.XHDTYPE), *[bytes(1 << 20)] * 80
    ),
    "a name of a gigabyte": lambda: packed(
        head("x", 1 << 30, tarfile.GNUTYPE_LONGNAME), *[b"a" * (1 << 20)] * 80
    ),
    "extensions of extensions": lambda: packed(head("x", 0, tarfile.XGLTYPE) * 5000, head("c/a")),
    "a sparse file": lambda: packed(head("c/values.yaml", 0, tarfile.GNUTYPE_SPARSE)),
    "links": lambda: packed(head("c/values.yaml", 0, tarfile.SYMTYPE)),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_chart_of_a_few_kilobytes_takes_no_gigabyte_and_ends_in_a_problem(
    bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_archive, "_MOST_BYTES", 32 << 20)
    monkeypatch.setattr(chart_archive, "_MOST_FILES", 2000)
    with little_memory(), pytest.raises(HostileBundle):
        unpack_chart(BOMBS[bomb](), "a chart")


def test_charts_inside_a_chart_share_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_archive, "_MOST_BYTES", 3 << 20)
    inner = packed(head("c/big.bin", 1 << 20), bytes(1 << 20)).getvalue()

    def outer(count: int) -> io.BytesIO:
        return packed(*(
            head(f"c/charts/c{n}.tgz", len(inner)) + inner + bytes(-len(inner) % 512)
            for n in range(count)
        ), bytes(1024))  # fmt: skip

    unpack_chart(outer(2), "a chart")
    with pytest.raises(HostileBundle, match="too large"):
        unpack_chart(outer(4), "a chart")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "9" * 40),  # passed over block by block, that would take for ever
        ("size", "-1"),
        ("GNU.sparse.map", "0,1,x"),
        ("GNU.sparse.size", "1e400"),
        ("GNU.sparse.major", "x"),
    ],
)
@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_a_head_that_no_archive_has_ends_in_the_error_of_archives(
    name: str, value: str, place: int
) -> None:
    packing = io.BytesIO()
    with tarfile.open(fileobj=packing, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(3):
            info = tarfile.TarInfo(f"c/{number}")
            info.pax_headers = {name: value} if number == place else {}
            tar.addfile(info)
    packing.seek(0)
    # What is no number may be passed over too.
    with contextlib.suppress(tarfile.TarError), members(packing, Budget(1 << 20, 10)) as (_, each):
        list(each)


def test_what_was_seen_of_an_archive_is_not_kept() -> None:
    raw = io.BytesIO(head("a", 0) * 2000 + bytes(1024))
    with members(raw, Budget(1 << 30, 5000)) as (tar, found):
        assert sum(1 for _ in found) == 2000
        assert len(vars(tar)["members"]) <= 1


def deb(control: bytes, name: str = "control.tar.gz") -> bytes:
    """A package with a control archive and nothing else."""
    parts = [b"!<arch>\n"]
    for member, raw in (("debian-binary", b"2.0\n"), (name, control)):
        parts += [f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(raw):<10}`\n".encode(), raw]
        parts.append(b"\n" * (len(raw) % 2))
    return b"".join(parts)


def asked(raw: bytes, folder: Path) -> str:
    path = folder / "x.deb"
    path.write_bytes(raw)
    with path.open("rb") as file:
        return control_of(BlobReader(file.fileno(), 0, len(raw)), where="x.deb")


GOOD = head("./control", 26) + b"Package: a\nVersion: 1.0-1\n".ljust(512, b"\0") + bytes(1024)


@BOUNDED
@given(st.binary(max_size=200), st.integers(0, 4000), st.booleans(), st.sampled_from(
    ["control.tar", "control.tar.gz", "control.tar.xz", "control.tar.lz", ""]
))  # fmt: skip
def test_any_damage_to_a_package_is_a_problem_or_its_control_fields(
    tmp_path_factory: pytest.TempPathFactory, piece: bytes, at: int, inside: bool, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    control = GOOD[: at % len(GOOD)] + piece + GOOD[at % len(GOOD) + len(piece) :]
    raw = deb(gzip.compress(control, 1) if name.endswith("gz") else control, name)
    if not inside:
        raw = deb(gzip.compress(GOOD, 1))
        raw = raw[: at % len(raw)] + piece + raw[at % len(raw) + len(piece) :]
    with contextlib.suppress(HostileBundle):
        assert "Filename:" not in asked(raw, folder)


@pytest.mark.parametrize(
    "control",
    [head("x", 0, tarfile.XGLTYPE) * 3000, head("x", 1 << 33, tarfile.XHDTYPE), b"\0" * 700,
     head("./control", 1 << 40)],
)  # fmt: skip
def test_a_control_archive_that_is_a_bomb_is_a_problem(control: bytes, tmp_path: Path) -> None:
    with little_memory(), pytest.raises(HostileBundle):
        asked(deb(gzip.compress(control)), tmp_path)


@pytest.mark.parametrize(
    "control",
    [
        head("x", 0, tarfile.XGLTYPE) * 3000,
        head("x", 2 << 20, tarfile.XHDTYPE) + bytes(4 << 20),
        head("./md5sums", 8 << 20) + bytes(8 << 20) + head("./postinst"),
    ],
)
def test_scripts_behind_a_bomb_are_told_not_to_be_read(control: bytes, tmp_path: Path) -> None:
    """The first of them took Python's own stack; the others took memory, and were passed over."""
    need("dpkg-deb")
    path = tmp_path / "x.deb"
    path.write_bytes(deb(gzip.compress(control + bytes(1024))))
    with little_memory(), pytest.raises(SourceProblem, match="its scripts cannot be read"):
        fetches_of_deb(path)


def test_scripts_of_a_package_are_read(tmp_path: Path) -> None:
    need("dpkg-deb")
    body = b"#!/bin/sh\nsnap install firefox\n"
    path = tmp_path / "x.deb"
    script = head("./preinst", len(body)) + body.ljust(512, b"\0")
    path.write_bytes(deb(gzip.compress(GOOD[:-1024] + script + bytes(1024))))
    assert fetches_of_deb(path) == ("preinst", "snap install")


def test_gzip_that_is_damaged_inside_is_a_problem(tmp_path: Path) -> None:
    raw = bytearray(gzip.compress(os.urandom(600) + GOOD))
    raw[30:60] = b"\xff" * 30
    with pytest.raises(HostileBundle):
        asked(deb(bytes(raw)), tmp_path)


@BOUNDED
@given(st.binary(max_size=300), st.integers(0, 3000), st.booleans())
def test_any_damage_to_a_chart_is_a_problem_or_its_files(
    piece: bytes, at: int, inside: bool
) -> None:
    body = b"name: a\nversion: 1.0.0\n"
    plain = head("a/Chart.yaml", len(body)) + body.ljust(512, b"\0") + bytes(1024)
    raw = gzip.compress(plain, 1)
    if inside:
        plain = plain[: at % len(plain)] + piece + plain[at % len(plain) + len(piece) :]
        raw = gzip.compress(plain, 1)
    else:
        raw = raw[: at % len(raw)] + piece + raw[at % len(raw) + len(piece) :]
    with contextlib.suppress(HostileBundle):
        unpack_chart(io.BytesIO(raw), "a chart")


def test_the_licence_of_what_is_no_package_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb(b"no archive"))
    assert licence_of_deb(path) is None


@pytest.mark.parametrize("size", [0, 1, 700, 9000, 30_000])
def test_an_archive_is_read_with_just_the_budget_of_its_length(size: int) -> None:
    """A package's control archive is one record, and all of it is read before its first head."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        member = tarfile.TarInfo("control")
        member.size = size
        tar.addfile(member, io.BytesIO(b"x" * size))
    budget = Budget(len(raw.getvalue()), 1)
    with members(io.BytesIO(raw.getvalue()), budget) as (tar, each):
        for found in each:
            file = tar.extractfile(found)
            assert file is not None
            assert file.read() == b"x" * size
