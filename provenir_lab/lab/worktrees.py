"""Versions of the code: commits of a git repository, checked out side by side for as long as it takes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provenir_lab.errors import LabError, UsageError


@dataclass(frozen=True, slots=True)
class Version:
    """A commit, as it was named and by its full hash."""

    ref: str
    commit: str

    @property
    def short(self) -> str:
        """The first twelve digits of the hash."""
        return self.commit[:12]


@dataclass(frozen=True)
class Repository:
    """A git repository; `root` is the folder of its checkout."""

    root: Path

    def version(self, ref: str, file: str) -> Version:
        """The commit that `ref` names. Raises UsageError if there is none, or if it lacks `file`."""
        name = f"{ref}^{{commit}}"
        found = _git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
        if found.returncode:
            raise UsageError(f"{self.root} has no commit {ref}: name a branch, a tag or a hash (git log)")
        version = Version(ref, found.stdout.strip())
        if _git(self.root, "cat-file", "-e", f"{version.commit}:{file}").returncode:
            raise UsageError(
                f"{ref} ({version.short}) has no {file}: only versions that can be run from outside can be"
                " compared"
            )
        return version

    @property
    def has_changes(self) -> bool:
        """Whether files differ from the last commit."""
        return bool(_git(self.root, "status", "--porcelain", "--untracked-files=no").stdout.strip())

    @contextmanager
    def checked_out(self, versions: Sequence[Version]) -> Iterator[list[Path]]:
        """Folders that hold `versions`, in a temporary folder that is gone afterwards, whatever happens."""
        temporary = Path(tempfile.mkdtemp(prefix="provenir-lab-"))
        folders = [temporary / f"{i}-{version.short}" for i, version in enumerate(versions)]
        try:
            for folder, version in zip(folders, versions, strict=True):
                self._add(folder, version)
            yield folders
        finally:
            for folder in folders:
                _git(self.root, "worktree", "remove", "--force", "--force", str(folder))
            shutil.rmtree(temporary, ignore_errors=True)
            _git(self.root, "worktree", "prune")  # one whose making was interrupted cannot be removed

    def _add(self, folder: Path, version: Version) -> None:
        done = _git(self.root, "worktree", "add", "--quiet", "--detach", str(folder), version.commit)
        if done.returncode:
            reason = " ".join(done.stderr.split())
            raise LabError(f"{version.ref} ({version.short}) cannot be checked out: {reason}")


def find_repository(folder: Path) -> Repository:
    """The repository that `folder` is in. Raises UsageError if it is in none, or git is not installed."""
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.returncode:
        raise UsageError(f"{folder} is in no git repository: run inside a clone of the project")
    return Repository(Path(found.stdout.strip()))


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder") from None
        raise UsageError("git is not installed or not on the PATH: comparing versions needs it") from None
