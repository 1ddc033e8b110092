"""Who may look at what the lab has made."""

from __future__ import annotations

import os
from pathlib import Path


def open_to_others(folder: Path) -> list[Path]:
    """The folder, and what is in it, as far as anybody but its owner has rights to it."""
    if os.name == "nt":
        return []
    return [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]
