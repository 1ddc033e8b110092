"""A small disk, to be filled up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 64_000_000
"""Bytes of the small disk."""


class SmallDisk:
    """A disk in memory. `leave` fills it up but for some bytes, `free` gives them back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def leave(self, room: int) -> None:
        self._ballast.write_bytes(bytes(max(0, shutil.disk_usage(self.path).free - room)))

    def free(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    path = Path(tempfile.mkdtemp(prefix="provenir-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        path.rmdir()
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    yield SmallDisk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)
    path.rmdir()
