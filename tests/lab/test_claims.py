"""What Phase I claimed against what was measured."""

from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy, run

from provenir_lab.lab.claims import COSTS, OPEN, PAYS, PERHAPS, SAME, WRONG, claims, reading
from provenir_lab.settings import Settings


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.80, 0.90, PAYS),
        (0.96, 0.969, PAYS),
        (0.96, 0.98, PERHAPS),
        (0.96, 1.01, OPEN),
        (0.975, 1.02, SAME),
        (0.90, 1.10, OPEN),
        (1.04, 1.20, COSTS),
    ],
)
def test_an_interval_of_throughput_without_something_is_read_at_the_threshold(
    low: float, high: float, expected: str
) -> None:
    assert reading(low, high, 0.03) == expected


def without(settings: Settings) -> float:
    return {"enum_cache": 700, "regex_cache": 1000, "indexed_lookup": 1200}.get(settings.mapper_without, 1000)


ABLATION = {"change": "mapper_without", "candidates": ["enum_cache", "regex_cache", "indexed_lookup"]}


def test_each_optimisation_has_a_row_and_the_confirmed_one_its_verdict(tmp_path: Path) -> None:
    result = run(SimulatedWorkshop(noisy(without, 0.002)), experiment(**ABLATION), tmp_path)
    found = claims(result)
    readings = {str(row[0]).partition("=")[2]: row[-1] for row in found.rows}
    assert readings == {
        "enum_cache": PAYS,
        "regex_cache": SAME,
        "indexed_lookup": f"{COSTS} (FASTER, confirmed)",
    }
    assert found.title == "Batch size: 1 of 3 pay by more than 3 %"
    assert "0.70" in str(found.rows[0][2]) and str(found.rows[0][4]).startswith("-30.")


def test_other_data_are_no_gain(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop(
        noisy(without, 0.002), tables=lambda settings, count: {"app_base": (count, settings.mapper_without)}
    )
    one = ABLATION | {"candidates": ["indexed_lookup"]}
    (row,) = claims(run(workshop, experiment(**one), tmp_path)).rows
    assert row[2:] == ("–", "–", "–", WRONG)
