"""Processes that the laboratory starts: which package they import, and that no run outlives its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

OWN_SECONDS = 1.0
"""How long a child may take to end by itself: Ctrl-C in a terminal reaches it too."""
ASKED_SECONDS = 8.0
"""How long it may take once it was asked; longer than a processor takes to finish its batch."""
LOOK_SECONDS = 1.0
"""How often a child looks whether its starter is there: seldom enough not to be seen in what it measures."""


def package_environment(folder: Path) -> dict[str, str]:
    """The environment in which Python imports the package in `folder`, whatever is installed, and from
    whatever current folder.
    """
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def run_child(
    command: Sequence[str],
    *,
    input: bytes | None = None,
    stdout: Any = None,
    stderr: Any = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs `command` to its end. When this process is interrupted, the child is ended before that goes on."""
    pipe = None if input is None else subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=stdout, stderr=stderr, env=env, cwd=cwd) as child:
        try:
            out, err = child.communicate(input)
        except BaseException:
            _end(child)
            raise
    return subprocess.CompletedProcess(command, child.returncode, out, err)


def end_with(starter: int) -> None:
    """Ends this process at once, and with it its workers, when the process of that id is gone.

    A starter that is killed cannot end its child, which would go on writing.
    """
    threading.Thread(target=_watch, args=(starter,), daemon=True).start()


def _watch(starter: int) -> None:
    try:
        process = psutil.Process(starter)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_SECONDS)
    except psutil.NoSuchProcess:
        pass
    os._exit(1)


def _end(child: subprocess.Popen[bytes]) -> None:
    ask = child.terminate if os.name == "nt" else lambda: child.send_signal(signal.SIGINT)
    for seconds, ask_next in ((OWN_SECONDS, ask), (ASKED_SECONDS, child.kill)):
        try:
            child.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            ask_next()
