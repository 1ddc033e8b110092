"""The gate of test suites: what it finds, what a comparison of versions makes of it, and real counts."""

import dataclasses
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy
from rights import open_to_others

from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.experiment import parse_experiment
from provenir_lab.lab.record import Result
from provenir_lab.lab.suites import Suite, Suites, run_suite
from provenir_lab.settings import Settings

GREEN = Suite(passed=10, failed=0, errors=0, skipped=1, status=0)


def suites(before: Suite = GREEN, after: Suite = GREEN) -> Suites:
    return Suites("python -m pytest -q", before, after)


def suite(**values: int) -> Suite:
    return dataclasses.replace(GREEN, **values)


@pytest.mark.parametrize(
    ("after", "problems"),
    [
        (GREEN, []),
        (suite(passed=12), []),
        (suite(passed=9), ["fewer tests pass: 9 instead of 10"]),
        (suite(passed=10, failed=1, errors=2, status=1), ["3 tests fail (10 pass)"]),
        (
            suite(passed=0, status=5),
            ["the tests do not run: pytest ended with status 5", "fewer tests pass: 0 instead of 10"],
        ),
    ],
)
def test_problems(after: Suite, problems: list[str]) -> None:
    assert suites(after=after).problems == problems
    assert suites(after=after).warnings == []


def test_failures_of_the_baseline_are_not_held_against_the_candidate() -> None:
    found = suites(before=suite(passed=8, failed=2, status=1))
    assert found.problems == []
    assert found.warnings == ["baseline: 2 of its tests fail"]
    assert Suites.from_dict(found.to_dict()) == found


def measured(tmp_path: Path, gate: Suites | None) -> Result:
    """A version that is 20 % faster and writes the same."""
    values = experiment().model_dump(exclude={"change", "candidates"})
    plan = parse_experiment(values | {"code": {"baseline": "a" * 12, "candidate": "b" * 12}}, "test")

    class Workshop(SimulatedWorkshop):
        variant = ""

    rate = noisy(lambda settings: 1000, 0.005)
    workshop = Workshop()
    order = iter(["baseline", "code", "code", "baseline"] * 4)
    workshop.rate = lambda settings, run: rate(settings, run) * (1.2 if next(order) == "code" else 1)
    return conduct(workshop, plan, Settings(batch_size=100), tmp_path, tests=gate)


def test_a_faster_version_whose_tests_pass_is_kept(tmp_path: Path) -> None:
    judged = measured(tmp_path, suites()).summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == ("FASTER", "keep")
    assert judged["gates"]["tests"]["candidate"]["passed"] == 10


def test_a_faster_version_whose_tests_fail_is_rejected(tmp_path: Path) -> None:
    result = measured(tmp_path, suites(after=suite(passed=9, failed=1, status=1)))
    judged = result.summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == ("INVALID", "reject")
    assert "1 tests fail (9 pass)" in judged["reason"]
    assert not judged["gates"]["passed"]


def test_without_tests_nothing_is_kept(tmp_path: Path) -> None:
    result = measured(tmp_path, None)
    judged = result.summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == ("FASTER", "baseline stays")
    assert "not gated: the test suites have not run" in judged["reason"]
    assert judged["gates"]["tests"] is None
    assert result.summary["accepted_variant"] == "baseline"
    assert "--no-tests" in result.report.read_text(encoding="utf-8")


def test_versions_are_asked_for_what_differs_from_their_own_defaults(tmp_path: Path) -> None:
    result = measured(tmp_path, None)
    assert [variant["settings"] for variant in result.summary["variants"]] == [{"batch_size": 100}] * 2


def test_a_suite_is_counted_and_its_output_kept(tmp_path: Path) -> None:
    code = (
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert 0\n"
        "def test_c(): pytest.skip()\n"
        "@pytest.fixture\n"
        "def broken(): 1 / 0\n"
        "def test_d(broken): pass\n"
    )
    (tmp_path / "test_it.py").write_text(code, encoding="utf-8")
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    output = kept / "tests-candidate.txt"
    assert run_suite(tmp_path, ["test_it.py"], output) == Suite(1, 1, 1, 1, 1)
    assert "ZeroDivisionError" in output.read_text(encoding="utf-8")
    assert run_suite(tmp_path, ["-k", "nothing"], output) == Suite(0, 0, 0, 0, 5)
    assert run_suite(tmp_path, ["absent"], output).status == 4
    assert list(kept.iterdir()) == [output]
    assert open_to_others(kept) == []
