"""Two stored results side by side: a verdict only where there is enough to give one."""

import re
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, noisy, run

from provenir_lab.lab.compare import compare
from provenir_lab.lab.experiment import parse_experiment
from provenir_lab.lab.record import Result


def baseline(
    results: Path, rate: float, spread: float = 0.01, runs: int = 10, count: int = 2000, contents: str = "aa"
) -> Result:
    plan = parse_experiment(
        {"name": "baseline", "title": "B", "runs": runs, "documents": {"count": count}}, "test"
    )
    workshop = SimulatedWorkshop(
        noisy(lambda settings: rate, spread, seed=int(rate)),
        tables=lambda settings, count: {"app_base": (count, contents)},
    )
    return run(workshop, plan, results)


def test_enough_runs_on_the_same_documents_have_a_verdict(tmp_path: Path) -> None:
    slow, fast = baseline(tmp_path / "a", 1000), baseline(tmp_path / "b", 1200)
    found = compare(slow.folder, fast.folder)
    assert found.verdict is not None and found.verdict.name == "FASTER"
    assert found.ratio.confidence >= 0.95
    assert found.ratio.low < 1.2 < found.ratio.high
    assert "FASTER, faster by +" in found.headline and found.warnings == ()
    assert found.to_dict()["verdict"]["decision"] == "keep"
    back = compare(fast.folder, slow.folder)
    assert back.verdict is not None and back.verdict.name == "SLOWER"


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_too_few_runs_have_no_verdict_however_far_apart(runs: int, tmp_path: Path) -> None:
    slow, fast = baseline(tmp_path / "a", 1000, runs=runs), baseline(tmp_path / "b", 2000, runs=runs)
    found = compare(slow.folder, fast.folder).verdict
    assert found is not None
    assert (found.name, found.decision) == ("INCONCLUSIVE", "baseline stays")
    assert found.reason.startswith("too few runs of each")


def test_runs_that_vary_much_say_how_many_would_settle_it(tmp_path: Path) -> None:
    one = baseline(tmp_path / "a", 1000, 0.1, runs=8)
    other = baseline(tmp_path / "b", 1080, 0.1, runs=8)
    found = compare(one.folder, other.folder).verdict
    assert found is not None and found.name == "INCONCLUSIVE"
    assert re.search(r"about \d\d+ runs of each would settle it", found.reason)


def test_different_documents_have_no_verdict(tmp_path: Path) -> None:
    found = compare(baseline(tmp_path / "a", 1000).folder, baseline(tmp_path / "b", 2000, count=4000).folder)
    assert found.verdict is None and found.to_dict()["verdict"] is None
    assert "no verdict; different documents (count 2000 and 4000)" in found.headline
    assert "no verdict" in found._repr_html_()


def test_other_data_are_invalid_however_fast(tmp_path: Path) -> None:
    found = compare(
        baseline(tmp_path / "a", 1000).folder, baseline(tmp_path / "b", 2000, contents="zz").folder
    ).verdict
    assert found is not None and (found.name, found.decision) == ("INVALID", "reject")
