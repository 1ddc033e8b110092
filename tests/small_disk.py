"""A small disk in memory, to be filled up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZE = 64_000_000
"""Bytes."""


class Unmountable(Exception):
    """No disk can be mounted here; the message says why."""


class SmallDisk:
    """A mounted disk. `leave` fills it up but for some bytes, `free` gives them back."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise Unmountable("only root on Linux mounts a small disk")
        self.path = Path(tempfile.mkdtemp(prefix="provenir-disk-"))
        self._ballast = self.path / "ballast"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.path)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            self.path.rmdir()
            raise Unmountable(f"no small disk can be mounted: {done.stderr.strip()}")

    def leave(self, room: int) -> None:
        """Fills the disk up but for `room` bytes (to a page of 4096)."""
        self._ballast.write_bytes(bytes(max(0, shutil.disk_usage(self.path).free - room)))

    def free(self) -> None:
        self._ballast.unlink()

    def read_only(self, now: bool) -> None:
        """As a disk is after an error, or a share without the right to write."""
        state = "ro" if now else "rw"
        subprocess.run(["mount", "-o", f"remount,{state}", str(self.path)], check=True)

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        self.path.rmdir()
