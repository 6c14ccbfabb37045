"""The blobs of an open bundle as what a transfer sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bundles.format.problems import CorruptBundle
from bundles.read.opened import CHUNK, BlobReader, Bundle
from foundation.hosts.transfer import Blob


@dataclass(frozen=True, slots=True)
class BundleSource:
    """Reads blobs in place; the bundle stays open as long as this is used."""

    bundle: Bundle

    def chunks(self, blob: Blob, begin: int) -> Iterator[memoryview]:
        """The bytes of a blob from one on; raises BundleProblem where it is not whole."""
        with self.bundle.blob(f"sha256:{blob.sha256}") as reader:
            if reader.size != blob.size:
                raise self._shorter(blob, reader.size)
            rest = BlobReader(reader.descriptor, reader.offset + begin, reader.size - begin)
            sent = begin
            try:
                for chunk in rest.chunks(bytearray(min(CHUNK, max(rest.size, 1)))):
                    sent += len(chunk)
                    yield chunk
            except OSError as error:
                raise CorruptBundle(
                    f"sha256:{blob.sha256} cannot be read: {error.strerror or error}",
                    where=str(self.bundle.path),
                    remedy="The medium may be broken: copy the bundle from another one.",
                ) from error
            if sent != blob.size:
                raise self._shorter(blob, sent)

    def _shorter(self, blob: Blob, size: int) -> CorruptBundle:
        return CorruptBundle(
            f"sha256:{blob.sha256} has {size} bytes instead of {blob.size}",
            where=str(self.bundle.path),
        )
