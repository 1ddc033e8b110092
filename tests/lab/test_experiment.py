"""Experiment files: what is read, and what is refused with one clear line."""

from pathlib import Path
from typing import Any

import pytest
from lab_simulation import experiment

from provenir_lab.errors import UsageError
from provenir_lab.lab.experiment import adjusted, load_experiment, parse_experiment
from provenir_lab.settings import Settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hypotesis": "x"}, "unknown key hypotesis: did you mean hypothesis?"),
        ({"documents": {"cuont": 5}}, "documents: unknown key cuont: did you mean count?"),
        ({"change": "batchsize"}, "change: unknown setting batchsize: did you mean batch_size?"),
        ({"settings": {"worker": 2}}, "settings: unknown setting worker: did you mean workers?"),
        ({"change": ["batch_size", "workers"]}, "an experiment varies one setting"),
        ({"settings": {"batch_size": 5}}, "batch_size is what varies; leave it out"),
        ({"candidates": []}, "a change needs candidates"),
        ({"candidates": [50, 50]}, "a value stands there twice"),
        ({"change": None}, "candidates need a change"),
        ({"runs": 5}, "below six pairs no exact 95 % interval exists"),
        ({"name": "Batch Size"}, "name: String should match pattern"),
        ({"documents": {"count": 0}}, "count must be at least 1, or auto"),
        ({"threshold_percent": 0}, "threshold_percent: Input should be greater than 0"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=r"^test: ") as raised:
        experiment(**values)
    assert message in str(raised.value)


def test_not_a_mapping() -> None:
    with pytest.raises(UsageError, match="expected keys such as name"):
        parse_experiment(["a"], "x.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_experiment(tmp_path / "missing.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(UsageError, match="is not YAML"):
        load_experiment(tmp_path / "bad.yaml")


def test_variants_differ_from_the_baseline_in_the_one_setting() -> None:
    plan = experiment(candidates=[50, 500, 1000], settings={"workers": 2})
    variants = plan.variants(Settings(log_level="error"))
    assert list(variants) == ["baseline", "batch_size=50", "batch_size=1000"]
    assert variants["baseline"] == Settings(workers=2, log_level="error")
    for name, settings in variants.items():
        differing = {k for k, v in settings.model_dump().items() if v != variants["baseline"].model_dump()[k]}
        assert differing == (set() if name == "baseline" else {"batch_size"})


def test_candidates_that_all_equal_what_is_accepted_leave_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match="no candidate differs from the accepted batch_size=1000"):
        experiment(candidates=[1000]).variants(Settings(batch_size=1000))


def test_a_candidate_with_two_settings_is_refused() -> None:
    with pytest.raises(UsageError, match="varies one setting"):
        experiment(candidates=[{"batch_size": 5, "workers": 2}]).variants(Settings())


def test_a_candidate_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="batch_size=0"):
        experiment(candidates=[0]).variants(Settings())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"change": "parse_mode", "candidates": ["full"], "documents": {"profile": "compact"}},
            "compact documents hold little to skip",
        ),
        (
            {"change": "workers", "candidates": [2, 4], "documents": {"count": 1000}},
            "1000 documents are too few",
        ),
        ({"candidates": [1000], "documents": {"count": 1500}}, "1500 documents are too few"),
    ],
)
def test_documents_that_cannot_show_the_effect_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        experiment(**values).check(Settings())
    assert message in str(raised.value)
    assert str(raised.value).startswith("experiment batch-size: ")


def test_documents_that_can_show_it_are_accepted() -> None:
    experiment(change="parse_mode", candidates=["full"], documents={"profile": "realistic"}).check(Settings())
    experiment(change="workers", candidates=[2, 4], documents={"count": 4000}).check(Settings())
    experiment(documents={"count": "auto"}).check(Settings())


def test_the_quick_form() -> None:
    plan = experiment(candidates=[50, 200, 1000], runs=10, max_runs=40, quick={"candidates": [50, 1000]})
    quick = plan.as_quick()
    assert (quick.runs, quick.max_runs, quick.candidates) == (6, 6, [50, 1000])
    assert (quick.documents.min_seconds, quick.is_quick, quick.warm_up) == (1.0, True, 1)
    assert parse_experiment(quick.model_dump(mode="json"), "again") == quick


def test_a_second_look_needs_seven_pairs_at_the_first() -> None:
    with pytest.raises(UsageError, match="7 pairs at the first; set max_runs: 6"):
        experiment(runs=6, max_runs=40)
    assert experiment(runs=7, max_runs=40).max_runs == 40
    assert adjusted(experiment(runs=10, max_runs=40), 6, None, quick=False).max_runs == 6
