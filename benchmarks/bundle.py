"""A bundle: made beside `skopeo copy`, verified beside `openssl dgst`, cut and joined; memory.

Both makers bring the same images from one docker-registry on the loopback, one after the other,
several times over, into empty folders. Verification and `openssl dgst -sha256` read the same blobs
from the page cache, openssl with as many processes as there are cores. Memory is the peak of a
whole process that makes, and of one that verifies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bundles.places import Layout, layer, skopeo, start_registry

_MIB = 1 << 20
_SITEWRIGHT = (sys.executable, "-m", "benchmarks.bundle_command")


def timed(words: list[str]) -> tuple[float, float, float]:
    """Run a program to its good end: seconds, seconds of CPU, peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, said.decode()
    seconds = time.perf_counter() - started
    peak = int(said.decode().rpartition("peak ")[2]) / 1024
    return seconds, usage.ru_utime + usage.ru_stime, peak


def push_images(folder: Path, host: str, count: int, size: int) -> list[str]:
    """Images of `size` MiB in four layers each, one of which all of them share."""
    layout = Layout(folder)
    shared = layer(shared=os.urandom(size * _MIB // 4))
    names = []
    for number in range(count):
        own = [layer(own=os.urandom(size * _MIB // 4)) for _ in range(3)]
        layout.name(layout.image([shared, *own]), f"i{number}")
        names.append(f"{host}/bench/i{number}:1")
        layout.push(f"i{number}", names[-1])
    return names


def create(folder: Path, host: str, images: list[str], rounds: int) -> Path:
    """Print the times of both makers; the last bundle."""
    recipe = folder / "bundle.yaml"
    recipe.write_text(json.dumps({"solution": "b", "version": "1", "images": images}))
    ours, theirs = [], []
    bundle, other = folder / "bundle", folder / "skopeo"
    for _ in range(rounds):
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.rmtree(other, ignore_errors=True)
        words = ["create", "--recipe", str(recipe), "--output", str(bundle), "--quiet"]
        ours.append(timed([*_SITEWRIGHT, *words]))
        started = time.perf_counter()
        for number, image in enumerate(images):
            skopeo(
                "copy", "--quiet", "--src-tls-verify=false",
                f"docker://{image}", f"oci:{other}:i{number}",
            )  # fmt: skip
        theirs.append(time.perf_counter() - started)
    mine = statistics.median(one[0] for one in ours)
    skopeos = statistics.median(theirs)
    print(f"create            {mine:6.2f} s")
    print(f"  skopeo copy     {skopeos:6.2f} s   ratio {mine / skopeos:.2f}")
    print(f"  CPU             {statistics.median(one[1] for one in ours):6.2f} s")
    print(f"  memory, peak    {max(one[2] for one in ours):6.1f} MB")
    return bundle


def verify(bundle: Path, rounds: int) -> None:
    """Print the times of verification and of openssl over the same blobs."""
    from bundles.read.verify import verify_bundle

    cores = os.cpu_count() or 1
    blobs = [str(path) for path in (bundle / "blobs" / "sha256").iterdir()]
    ordered = "\0".join(sorted(blobs, key=lambda name: -Path(name).stat().st_size))
    size = sum(Path(blob).stat().st_size for blob in blobs) / _MIB
    ours, theirs, whole = [], [], []
    for _ in range(rounds):
        ours.append(verify_bundle(bundle).seconds)
        started = time.perf_counter()
        subprocess.run(
            ["xargs", "-0", "-n", "1", "-P", str(cores), "openssl", "dgst", "-sha256"],
            input=ordered.encode(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        theirs.append(time.perf_counter() - started)
        whole.append(timed([*_SITEWRIGHT, "verify", str(bundle), "--quiet"]))
    mine, other = size / min(ours), size / min(theirs)
    print(f"verify            {mine:6.0f} MiB/s")
    print(f"  openssl         {other:6.0f} MiB/s   ratio {mine / other:.2f}")
    print(f"  memory, peak    {max(one[2] for one in whole):6.1f} MB")


def volumes(folder: Path, bundle: Path) -> None:
    """Print the times of cutting and of joining with one volume lost."""
    from bundles.read.volumes import join_volumes, split_bundle

    size = sum(path.stat().st_size for path in (bundle / "blobs" / "sha256").iterdir())
    started = time.perf_counter()
    paths = split_bundle(bundle, folder / "volumes", max(size // 8, 1 << 17))
    cut = time.perf_counter() - started
    paths[3].unlink()
    started = time.perf_counter()
    join_volumes([folder / "volumes"], folder / "joined.tar")
    joined = time.perf_counter() - started
    print(f"split             {size / _MIB / cut:6.0f} MiB/s, with parity and hashes")
    print(f"join              {size / _MIB / joined:6.0f} MiB/s, one volume made again")
    print(f"hashing alone     {hash_rate():6.0f} MiB/s on one core")


def hash_rate() -> float:
    """MiB a second that one core hashes."""
    block = bytes(_MIB)
    started = time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(200):
        digest.update(block)
    return 200 / (time.perf_counter() - started)


def main() -> None:
    """Start the registry, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--size", type=int, default=64, help="MiB an image")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = start_registry(folder / "registry")
        try:
            images = push_images(folder / "layout", registry.host, options.images, options.size)
            bundle = create(folder, registry.host, images, options.rounds)
        finally:
            registry.stop()
        verify(bundle, options.rounds)
        volumes(folder, bundle)


if __name__ == "__main__":
    main()
