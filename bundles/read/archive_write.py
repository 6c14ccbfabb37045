"""Writing a bundle as one file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from bundles.read.archive import archive_chunks, archive_size
from bundles.read.opened import DOCUMENTS, open_bundle
from bundles.read.structure import read_structure
from foundation.problems import InputProblem


def write_archive(
    bundle_path: Path, output: Path, *, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write a bundle as one file, whole or not at all; its size in bytes.

    The same bundle always gives the same bytes. Raises BundleProblem, InputProblem.
    """
    with open_bundle(bundle_path) as bundle:
        read_structure(bundle)
        documents = {n: len(raw) for n in DOCUMENTS if (raw := bundle.document(n)) is not None}
        need = archive_size(bundle.blobs, documents)
        free = shutil.disk_usage(output.parent).free
        if need > free:
            raise InputProblem(f"{need} bytes are needed and {free} are free", where=str(output))
        temporary = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            with temporary.open("xb") as file:
                done = 0
                for chunk in archive_chunks(bundle):
                    file.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress(done, need)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    return need
