"""Files that the lab writes: for their owner's eyes alone, and whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes can be read and written by its owner alone (0600)."""
    return os.open(path, flags, 0o600)


def write_whole(path: Path, content: str) -> None:
    """Puts `content` into the file, by way of one beside it. Raises OSError; `path` is then as it was."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8", newline="\n", opener=private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)  # it would fill a full disk further
        raise
