"""Takes the pictures of the guides from a finished result, with headless Chromium.

    .venv/bin/python docs/screenshots.py RESULT_FOLDER

Writes images/report.png from its report.html and images/jupyterlab.png from its notebook.ipynb.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
QUIET = (
    "--headless",
    "--no-sandbox",  # root has no sandbox
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
SETTLE_MS = 25_000
"""Virtual time in which a page may load, run its scripts and draw."""


def take(address: str, image: Path, size: tuple[int, int]) -> None:
    """A picture of the page at `address`, `size` in pixels (width, height)."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no browser found ({', '.join(BROWSERS)}); on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *QUIET,
            f"--user-data-dir={profile}",
            f"--window-size={size[0]},{size[1]}",
            f"--virtual-time-budget={SETTLE_MS}",
            f"--screenshot={image}",
            address,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
    print(image)


@contextmanager
def jupyterlab(notebook: Path) -> Iterator[str]:
    """The address of a notebook in a JupyterLab that trusts it, without its question about news."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as settings:
        news = Path(settings) / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}), encoding="utf-8")
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
        command += [f"--ServerApp.token={token}", f"--ServerApp.root_dir={notebook.parent}"]
        environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": settings, "JUPYTER_DATA_DIR": settings}
        trust = [sys.executable, "-m", "jupyter", "trust", str(notebook)]
        subprocess.run(trust, env=environment, check=True, capture_output=True)
        server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_for(f"{address}/api/status?token={token}")
            yield f"{address}/lab/tree/{notebook.name}?token={token}&reset"
        finally:
            server.terminate()
            server.wait()


def wait_for(address: str, seconds: float = 60) -> None:
    """Returns when `address` answers; raises TimeoutError if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def main(result: Path) -> None:
    """All pictures of one result folder."""
    IMAGES.mkdir(exist_ok=True)
    take((result / "report.html").as_uri(), IMAGES / "report.png", (1200, 1000))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "notebook.ipynb"
        copy_from_first_section(result / "notebook.ipynb", copy)
        with jupyterlab(copy) as address:
            take(address, IMAGES / "jupyterlab.png", (1400, 1000))


def copy_from_first_section(notebook: Path, copy: Path) -> None:
    """The notebook without what stands above its first section: parameters hold paths of this machine."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    sections = [i for i, cell in enumerate(content["cells"]) if "".join(cell["source"]).startswith("## ")]
    content["cells"] = content["cells"][sections[0] :]
    copy.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]).resolve())
