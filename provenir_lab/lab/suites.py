"""The test suites of two versions of the code, as a gate: a version that fails its tests is not measured
against one that passes them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from provenir_lab.files import private
from provenir_lab.lab.child import package_environment, run_child


@dataclass(frozen=True, slots=True)
class Suite:
    """What came of one version's tests. `status` is the exit status of pytest."""

    passed: int
    failed: int
    errors: int
    skipped: int
    status: int


@dataclass(frozen=True)
class Suites:
    """The suites of baseline and candidate, run by the same command."""

    command: str
    baseline: Suite
    candidate: Suite

    @property
    def problems(self) -> list[str]:
        """Why the candidate may not be kept: tests fail, do not run, or fewer pass than before."""
        before, after = self.baseline, self.candidate
        found = []
        if after.failed or after.errors:
            found.append(f"{after.failed + after.errors} tests fail ({after.passed} pass)")
        elif after.status:
            found.append(f"the tests do not run: pytest ended with status {after.status}")
        if after.passed < before.passed:
            found.append(f"fewer tests pass: {after.passed} instead of {before.passed}")
        return found

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the baseline's tests, which cannot be held against the candidate."""
        before = self.baseline
        if before.failed or before.errors:
            return [f"baseline: {before.failed + before.errors} of its tests fail"]
        if before.status:
            return [f"baseline: its tests do not run: pytest ended with status {before.status}"]
        return []

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Suites:
        """What `to_dict` gave."""
        return cls(values["command"], Suite(**values["baseline"]), Suite(**values["candidate"]))


def suite_command(arguments: Sequence[str]) -> list[str]:
    """The command of a suite; `arguments` are pytest's."""
    return [sys.executable, "-m", "pytest", "-q", *arguments]


def run_suite(checkout: Path, arguments: Sequence[str], output: Path) -> Suite:
    """Runs the tests of the version in `checkout`; what pytest prints goes into the file `output`."""
    with tempfile.TemporaryDirectory(prefix="provenir-lab-", ignore_cleanup_errors=True) as temporary:
        counts = Path(temporary) / "counts.xml"  # repeats the output, where nobody else can look
        with open(output, "wb", opener=private) as file:
            done = run_child(
                [*suite_command(arguments), f"--junitxml={counts}"],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=package_environment(checkout),
                cwd=checkout,
            )
        if not counts.is_file():
            return Suite(0, 0, 0, 0, done.returncode)
        return _counted(counts, done.returncode)


def _counted(report: Path, status: int) -> Suite:
    """The sums of a JUnit report, which pytest writes."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failed, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    return Suite(tests - failed - errors - skipped, failed, errors, skipped, status)
