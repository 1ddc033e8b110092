"""What is kept on disk: every finished run, whole files, and nothing that an interruption left in half."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenir_lab.errors import LabError, UsageError
from provenir_lab.lab.record import (
    STAGES,
    Folder,
    Run,
    interrupted_result,
    load_result,
    new_folder,
    newest_result,
    run_columns,
)

NUMBERS = st.floats(0, 1e6).map(lambda value: round(value, 6))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20).map(
    lambda t: " ".join(t.split())
)
RUNS = st.builds(
    Run,
    order=st.integers(1, 999),
    part=st.sampled_from(["warm-up", "measure", "confirm"]),
    block=st.integers(1, 20),
    position=st.integers(1, 12),
    variant=st.sampled_from(["baseline", "batch_size=1000", "log_level=debug"]),
    started=st.just("2026-01-02T03:04:05.000+00:00"),
    documents=st.integers(0, 10**6),
    succeeded=st.integers(0, 10**6),
    failed=st.integers(0, 10**6),
    failures=st.dictionaries(st.sampled_from(["malformed_xml", "too_large"]), st.integers(1, 99)),
    rows=st.integers(0, 10**7),
    seconds=NUMBERS,
    rec_per_min=NUMBERS,
    wall_seconds=NUMBERS,
    cpu_seconds=NUMBERS,
    peak_memory_mb=NUMBERS,
    stages=st.fixed_dictionaries(dict.fromkeys(STAGES, NUMBERS)),
    slices=st.lists(st.tuples(st.integers(1, 999), NUMBERS), max_size=3).map(tuple),
    digest=st.sampled_from(["", "0123456789abcdef"]),
    void=TEXTS,
    characters_read=st.integers(0, 10**9),
    bytes_parsed=st.integers(0, 10**9),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(RUNS, min_size=1, max_size=3))
def test_runs_come_back_as_they_were(runs: list[Run]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        for run in runs:
            folder.add_run(run)
        assert list(folder.runs()) == runs


def a_run(order: int = 1) -> Run:
    zero = dict.fromkeys(STAGES, 0.0)
    return Run(
        order, "measure", 1, 1, "baseline", "now", 1, 1, 0, {}, 5, 1.0, 60.0, 1.0, 1.0, 1.0, zero, (), "d"
    )  # fmt: skip


def test_columns_are_those_that_are_documented() -> None:
    assert {"variant", "block", "order", "documents", "rows", "seconds", "rec_per_min", "digest"} <= set(
        run_columns()
    )
    assert {f"{stage}_seconds" for stage in STAGES} <= set(run_columns())


def test_runs_of_a_version_with_fewer_columns_are_read_and_gone_on_with(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add_run(replace(a_run(), characters_read=7, bytes_parsed=5))
    path = tmp_path / "runs.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line.rsplit(',', 2)[0]}\n" for line in lines), encoding="utf-8")
    folder.add_run(a_run(2))
    assert folder.runs() == (a_run(), a_run(2))


def test_a_line_that_was_cut_short_is_taken_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add_run(a_run(1))
    whole = (tmp_path / "runs.csv").read_text(encoding="utf-8")
    (tmp_path / "runs.csv").write_text(whole + "2,measure,1,2,base", encoding="utf-8")
    assert [run.order for run in folder.runs()] == [1]
    folder.add_run(a_run(2))
    assert [run.order for run in folder.runs()] == [1, 2]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.write("report.html", "first")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(LabError, match=r"report\.html: No space left on device; free space"):
        folder.write("report.html", "second")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "first"


def test_a_results_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file", encoding="utf-8")
    with pytest.raises(LabError, match="name another results folder"):
        new_folder(tmp_path / "results", "baseline", dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "abc123")


def test_folders_are_named_by_utc_time(tmp_path: Path) -> None:
    east = dt.timezone(dt.timedelta(hours=5))
    folder = new_folder(tmp_path, "baseline", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=east), "abc123")
    assert folder.path == tmp_path / "baseline" / "20260101T220405Z-abc123"
    assert folder.path.is_dir()


def test_the_newest_result_is_a_finished_one(tmp_path: Path) -> None:
    for name, finished in (
        ("20260101T000000Z-a", True),
        ("20260102T000000Z-b", True),
        ("20260103T000000Z-c", False),
    ):
        folder = Folder(tmp_path / "baseline" / name)
        folder.path.mkdir(parents=True)
        if finished:
            folder.write_json("summary.json", {})
    newest = newest_result(tmp_path, "baseline")
    assert newest is not None
    assert newest.name == "20260102T000000Z-b"
    assert newest_result(tmp_path, "batch-size") is None


def test_the_interrupted_result_is_the_newest_without_all_its_pages(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "baseline" / "20260101T000000Z-a")
    for name in ("plan.json", "notebook.ipynb", "summary.json", "report.html"):
        folder.write(name, "{}")
        assert interrupted_result(tmp_path, "baseline") == folder.path
    folder.write("notebook.html", "")
    with pytest.raises(UsageError, match="holds no interrupted result: start without --resume"):
        interrupted_result(tmp_path, "baseline")


def test_digests_are_kept_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add_digests("d1", {"app_base": (3, "aa")})
    folder.add_digests("d1", {"app_base": (3, "aa")})
    folder.add_digests("d2", {"app_base": (4, "bb")})
    assert folder.digests() == {"d1": {"app_base": (3, "aa")}, "d2": {"app_base": (4, "bb")}}


@pytest.mark.parametrize("damage", ["no folder", "empty", "not JSON"])
def test_what_is_no_result_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "result"
    if damage != "no folder":
        folder.mkdir()
    if damage == "not JSON":
        (folder / "experiment.yaml").write_text("name: x", encoding="utf-8")
        (folder / "environment.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError):
        load_result(folder)
