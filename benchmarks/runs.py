"""Runs of the processor as users start it: a fresh process on a lab, its outcome as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenir_lab.api import Lab
from provenir_lab.progress import silent
from provenir_lab.settings import DATABASE_VARIABLE


@dataclass(frozen=True)
class Place:
    """A lab with its documents."""

    url: str
    schema: str | None = None

    @property
    def lab(self) -> Lab:
        return Lab(self.url, schema=self.schema, progress=silent)

    def fill(self, count: int, profile: str) -> None:
        """Makes the lab and its documents."""
        self.lab.init()
        self.lab.generate(count, profile=profile)

    def process(
        self, settings: Mapping[str, object] | None = None, *, limit: int | None = None
    ) -> dict[str, Any]:
        """Clears the tables and processes all documents, or the first `limit`; the outcome. Raises
        CalledProcessError.
        """
        self.lab.clean()
        command = [sys.executable, "-m", "provenir_lab", "process", "--json", "--quiet"]
        command += ["--limit", str(limit)] if limit else []
        command += ["--schema", self.schema] if self.schema else []
        for name, value in (settings or {}).items():
            command += ["--set", f"{name}={value}"]
        environment = {**os.environ, DATABASE_VARIABLE: self.url}  # may hold a password: not an argument
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome
