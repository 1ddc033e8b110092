"""A JupyterLab server of our own, and its notebooks as people use them: in a browser."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # every cell is in the page, on the screen or not
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
}


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    address: str
    token: str
    pid: int

    def page_of(self, notebook: str) -> str:
        """The address of a notebook, named from the server's folder, in a workspace of its own."""
        workspace = notebook.replace("/", "-").removesuffix(".ipynb")
        return f"{self.address}/lab/workspaces/{workspace}/tree/{notebook}?token={self.token}&reset"


@contextmanager
def serve(root: Path, home: Path) -> Iterator[Server]:
    """JupyterLab on the folder `root`, on a free port, with a token; what it stores goes into `home`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, values in SETTINGS.items():
        file = home / "settings" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    address, token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
    folders = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    folders |= {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    environment = {**os.environ, **{name: str(home / folder) for name, folder in folders.items()}}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}",
    ]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"{address}/api/status?token={token}", process)
            yield Server(address, token, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Returns when `address` answers; raises TimeoutError if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")


def open_notebook(page: Page, server: Server, notebook: str) -> None:
    """Opens the notebook and waits until its kernel is idle."""
    page.goto(server.page_of(notebook))
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()


def wait_until_idle(page: Page) -> None:
    """Returns when no cell of the notebook waits or runs, and the kernel is idle."""
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-InputPrompt')];
            const state = document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status;
            return state === 'idle' && !prompts.some(prompt => prompt.textContent.includes('*'));
        }"""
    )


def run_all(page: Page) -> None:
    """Run > Run All Cells."""
    page.locator(".lm-MenuBar-item", has_text="Run").first.click()
    page.locator("[data-command='runmenu:run-all']").click()


def prompts(page: Page) -> list[str]:
    """What stands before each code cell: `[3]:` once it has run, `[ ]:` before."""
    return page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
