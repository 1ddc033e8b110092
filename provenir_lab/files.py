"""Files and folders that the lab makes: for their owner's eyes alone; files whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes can be read and written by its owner alone (0600)."""
    return os.open(path, flags, 0o600)


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Makes a folder, and what is missing above it, for its owner alone (0700); what is there stays as it is.

    Raises OSError; without `exist_ok` also if the folder is there.
    """
    if not folder.parent.exists():  # `mkdir` makes parents with the rights of everything else
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=exist_ok)


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
