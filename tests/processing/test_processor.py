"""From documents to tables: whatever the settings, the same rows, and one outcome for each document."""

from __future__ import annotations

import random
import re
from datetime import datetime

import pytest
from labs import FIRST_ID, SAMPLES, counts, digests, documents, execute, failed, new_lab, put, rows
from places import Place

from provenir_lab.errors import LabError, PreflightError, UsageError
from provenir_lab.mapping.document import decode
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.mock import FAULTS, generate, spoil
from provenir_lab.processing.processor import session_id
from provenir_lab.progress import Step


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The tables after 300 documents, one worker, default settings."""
    path = tmp_path_factory.mktemp("expected") / "lab.db"
    lab = new_lab(f"sqlite:///{path}", documents())
    outcome = lab.process()
    assert (outcome.documents, outcome.succeeded, outcome.failed) == (300, 300, {})
    return dict(digests(lab))


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 1},
        {"batch_size": 7},
        {"batch_size": 1000},
        {"parse_mode": "full"},
        {"fetch": "whole"},
        {"prefetch": 2, "batch_size": 20},
        {"prefetch": 1, "parse_threads": 2, "batch_size": 50, "parse_mode": "full"},
        {"parse_threads": 3},
        {"workers": 2},
        {"workers": 3, "batch_size": 20, "parse_mode": "full"},
    ],
    ids=str,
)
def test_tables_do_not_depend_on_settings(
    sqlite_url: str, expected: dict[str, object], settings: dict[str, object]
) -> None:
    lab = new_lab(sqlite_url, documents(), **settings)
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed, outcome.skipped) == (300, {}, 0)
    assert outcome.write_method == "executemany"
    assert digests(lab) == expected
    found = counts(lab)
    assert found.pop("processing_log") == 300
    assert outcome.rows == found


def test_every_database_gives_the_same_tables(place: Place, expected: dict[str, object]) -> None:
    lab = new_lab(place.url, documents(), place.schema)
    assert lab.process(workers=2).succeeded == 300
    assert digests(lab) == expected
    assert lab.verify(None).equal


def test_cleaning_empties_every_table_and_a_second_run_gives_the_same(
    sqlite_url: str, expected: dict[str, object]
) -> None:
    lab = new_lab(sqlite_url, documents())
    lab.process()
    lab.clean()
    assert set(counts(lab).values()) == {0}
    assert lab.status().pending == 300
    lab.process(batch_size=40)
    assert digests(lab) == expected


def test_running_again_finds_nothing_to_do(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(20))
    lab.process()
    before = digests(lab)
    outcome = lab.process(workers=2)
    assert (outcome.documents, outcome.seconds, outcome.rec_per_min, outcome.slices) == (0, 0, 0, ())
    assert digests(lab) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_limit_takes_the_first_pending_documents(sqlite_url: str, workers: int) -> None:
    lab = new_lab(sqlite_url, documents(60))
    assert lab.process(limit=25, workers=workers, batch_size=10).documents == 25
    assert rows(lab, "SELECT max(app_id) FROM app_base") == [(FIRST_ID + 24,)]
    assert lab.process(limit=1000, workers=workers).documents == 35


@pytest.mark.parametrize("workers", [1, 2])
def test_a_range_includes_both_ends_and_is_logged(sqlite_url: str, workers: int) -> None:
    lab = new_lab(sqlite_url, documents(60))
    first, last = FIRST_ID + 10, FIRST_ID + 29
    assert lab.process(app_id_start=first, app_id_end=last, workers=workers).documents == 20
    log = "SELECT min(app_id), max(app_id), min(app_id_start), max(app_id_end) FROM processing_log"
    assert rows(lab, log) == [(first, last, first, last)]
    lab.process()
    assert rows(lab, "SELECT count(*) FROM processing_log WHERE app_id_start IS NULL") == [(40,)]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"limit": 0}, "limit 0"),
        ({"app_id_start": 5}, "both ends"),
        ({"app_id_end": 5}, "both ends"),
        ({"app_id_start": 0, "app_id_end": 5}, "range 0 to 5"),
        ({"app_id_start": 6, "app_id_end": 5}, "range 6 to 5"),
        ({"app_id_start": 1, "app_id_end": 5, "limit": 3}, "not both"),
        ({"batch_sise": 3}, "did you mean batch_size"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_requests_that_make_no_sense(sqlite_url: str, request_: dict[str, int], message: str) -> None:
    lab = new_lab(sqlite_url, documents(5))
    with pytest.raises(UsageError, match=message):
        lab.process(**request_)
    assert lab.status().pending == 5


# ---- documents that fail


@pytest.mark.parametrize("workers", [1, 2])
def test_faulty_documents_fail_with_their_category_and_their_neighbours_are_written(
    sqlite_url: str, workers: int
) -> None:
    good = documents(4 * len(FAULTS))
    made = {d.app_id: spoil(d, fault) for d, fault in zip(good[::4], FAULTS, strict=True)}
    lab = new_lab(sqlite_url, [made.get(d.app_id, d) for d in good], batch_size=16)
    outcome = lab.process(workers=workers)
    found = failed(lab)
    assert {i: category for i, (category, _) in found.items()} == {i: d.fault for i, d in made.items()}
    assert outcome.succeeded == len(good) - len(FAULTS)
    assert sum(outcome.failed.values()) == len(FAULTS)
    written = {i for (i,) in rows(lab, "SELECT app_id FROM app_base")}
    assert written == {d.app_id for d in good} - made.keys()


def test_no_reason_holds_a_value_of_its_document(sqlite_url: str) -> None:
    made = [spoil(d, fault) for d, fault in zip(documents(len(FAULTS)), FAULTS, strict=True)]
    lab = new_lab(sqlite_url, made, stop_after_failures=0)
    lab.process()
    texts = {d.app_id: d.text for d in made}
    for app_id, (_, reason) in failed(lab).items():
        values = {v.strip() for v in re.findall(r'="([^"]*)"', texts[app_id])}
        telling = {v for v in values if len(v) >= 5 and not v.isalpha()}
        assert not [v for v in telling if v in reason]


def test_a_byte_order_mark_and_a_wrong_encoding_declaration_are_no_faults(sqlite_url: str) -> None:
    first, second = documents(2)
    lab = new_lab(sqlite_url)
    declared = second.text[second.text.index("<Provenir") :]
    texts: list[tuple[int, str | None]] = [(first.app_id, "\ufeff" + first.text)]
    texts += [(second.app_id, '<?xml version="1.0" encoding="utf-16"?>' + declared)]
    put(lab, texts, {first.campaign_num, second.campaign_num})
    assert lab.process().succeeded == 2


def test_empty_blank_and_wrong_line_documents(sqlite_url: str) -> None:
    good = documents(3)
    lab = new_lab(sqlite_url, good)
    wrong_line = decode((SAMPLES / "wrong-product.xml").read_bytes())
    own_id = int(re.search(r'<Request[^>]*? ID="(\d+)"', wrong_line)[1])  # type: ignore[index]
    put(lab, [(1, ""), (2, "  \n "), (own_id, wrong_line)])
    outcome = lab.process()
    assert outcome.succeeded == 3
    assert {i: c for i, (c, _) in failed(lab).items()} == {
        1: "malformed_xml",
        2: "malformed_xml",
        own_id: "wrong_product_line",
    }


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_what_only_the_database_refuses_stands_alone(sqlite_url: str, batch_size: int) -> None:
    made = documents(40)
    rare = next(d for d in made if [e.campaign_num for e in made].count(d.campaign_num) == 1)
    lab = new_lab(sqlite_url)
    put(lab, [(d.app_id, d.text) for d in made], {d.campaign_num for d in made} - {rare.campaign_num})
    outcome = lab.process(batch_size=batch_size)
    assert outcome.failed == {"constraint_violation": 1}
    ((app_id, (category, reason)),) = failed(lab).items()
    assert (app_id, category) == (rare.app_id, "constraint_violation")
    assert rare.campaign_num not in reason
    assert outcome.succeeded == 39
    assert rows(lab, f"SELECT count(*) FROM app_contact_base WHERE app_id = {rare.app_id}") == [(0,)]


_RULES = {
    "sqlite": (
        "CREATE TRIGGER rule BEFORE INSERT ON app_base WHEN NEW.app_id = {0} BEGIN "
        "SELECT RAISE(ABORT, 'CANARY'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION lab.rule() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.app_id = {0} THEN "
        "RAISE EXCEPTION ''CANARY''; END IF; RETURN NEW; END'",
        "CREATE TRIGGER rule BEFORE INSERT ON lab.app_base FOR EACH ROW EXECUTE FUNCTION lab.rule()",
    ),
    "mssql": (
        "CREATE TRIGGER {1}.[rule] ON {1}.app_base AFTER INSERT AS "
        "IF EXISTS (SELECT 1 FROM inserted WHERE app_id = {0}) THROW 50001, 'CANARY', 1",
    ),
}


def test_a_rule_in_a_trigger_fails_its_document_alone(place: Place) -> None:
    made = documents(12)
    lab = new_lab(place.url, made, place.schema)
    for statement in _RULES[place.kind]:
        execute(lab, statement.format(made[5].app_id, place.schema))
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed) == (11, {"constraint_violation": 1})
    ((app_id, (_, reason)),) = failed(lab).items()
    assert (app_id, reason) == (made[5].app_id, reason.replace("CANARY", ""))


def test_an_application_loaded_by_hand_is_left_untouched(sqlite_url: str) -> None:
    made = documents(10)
    lab = new_lab(sqlite_url, made)
    lab.process(limit=1)
    before = rows(lab, f"SELECT * FROM app_base WHERE app_id = {made[0].app_id}")
    execute(lab, "DELETE FROM processing_log")
    outcome = lab.process()
    assert outcome.failed == {"constraint_violation": 1}
    ((_, (_, reason)),) = failed(lab).items()
    assert reason == "already in app_base, loaded outside of this log; left as it is"
    assert outcome.succeeded == 9
    assert rows(lab, f"SELECT * FROM app_base WHERE app_id = {made[0].app_id}") == before


def test_rows_that_were_left_behind_fail_their_document_alone(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(20))
    execute(
        lab, "INSERT INTO scores (app_id, score_identifier, score) VALUES (:i, 'LEFT', 7)", i=FIRST_ID + 4
    )
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed) == (19, {"constraint_violation": 1})
    reason = "scores: holds rows of this application already"
    assert failed(lab) == {FIRST_ID + 4: ("constraint_violation", reason)}
    left = f"SELECT score_identifier, score FROM scores WHERE app_id = {FIRST_ID + 4}"
    assert rows(lab, left) == [("LEFT", 7)]


def test_contacts_of_another_application_are_left_out_the_same_way_each_time(sqlite_url: str) -> None:
    made = list(generate(200, seed=3, profile="compact", duplicate_contacts=0.3))
    lab = new_lab(sqlite_url, made)
    outcome = lab.process(batch_size=9)
    assert outcome.succeeded == 200
    assert outcome.duplicate_contacts == sum(d.duplicate_of is not None for d in made) > 20
    reasons = "SELECT count(*) FROM processing_log WHERE failure_reason LIKE 'duplicate_contact: %'"
    assert rows(lab, reasons) == [(outcome.duplicate_contacts,)]
    first = digests(lab)
    lab.clean()
    lab.process(batch_size=200)
    assert digests(lab) == first


def test_documents_longer_than_what_is_fetched_first(sqlite_url: str) -> None:
    """Mapped part behind a long beginning, a text over the limit, short neighbours: alike in all modes."""
    made = documents(12)
    texts = {d.app_id: d.text for d in made}
    for d in made[2:9:3]:
        texts[d.app_id] = d.text.replace("<CustData>", f"<!-- {'x' * 50_000} --><CustData>", 1)
    texts[made[4].app_id] += "<!-- " + "y" * 1_100_000 + " -->"
    texts[made[10].app_id] = texts[made[10].app_id].replace("</CustData>", "", 1) + " " * 50_000
    found = []
    for number, settings in enumerate(({}, {"fetch": "whole"}, {"parse_mode": "full"}, {"prefetch": 2})):
        lab = new_lab(sqlite_url.replace("lab.db", f"{number}.db"), **settings)
        put(lab, texts.items(), {d.campaign_num for d in made})
        outcome = lab.process(max_document_mb=1, batch_size=5)
        assert outcome.failed == {"too_large": 1, "malformed_xml": 1}
        found.append({table: d for table, d in digests(lab).items() if table != "processing_log"})
    assert found[1:] == found[:1] * 3


# ---- everything fails


@pytest.mark.parametrize(("workers", "batch_size"), [(1, 30), (2, 5), (4, 100)])
def test_when_everything_fails_the_run_stops_and_nothing_is_logged(
    sqlite_url: str, workers: int, batch_size: int
) -> None:
    """Also where the documents of a span are fewer than the limit."""
    made = [spoil(d, next(iter(FAULTS))) for d in documents(300)]
    lab = new_lab(sqlite_url, made, workers=workers)
    with pytest.raises(LabError, match="stop_after_failures") as stopped:
        lab.process(batch_size=batch_size)
    assert "malformed_xml: 1" in str(stopped.value)
    assert lab.status().pending == 300


def test_when_the_database_refuses_everything_the_run_stops_early(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(300))
    execute(lab, "DELETE FROM app_campaign_cc")
    with pytest.raises(LabError, match="constraint_violation: 20"):
        lab.process(stop_after_failures=20, batch_size=300)
    assert lab.status().pending == 300


@pytest.mark.parametrize("workers", [1, 2])
def test_a_few_failures_are_logged_even_if_nothing_succeeds(sqlite_url: str, workers: int) -> None:
    made = [spoil(d, next(iter(FAULTS))) for d in documents(9)]
    lab = new_lab(sqlite_url, made, stop_after_failures=10, workers=workers)
    assert lab.process().failed == {"malformed_xml": 9}
    assert lab.status().pending == 0


def test_spans_without_a_success_are_logged_once_another_has_one(sqlite_url: str) -> None:
    made = [spoil(d, next(iter(FAULTS))) if n < 70 else d for n, d in enumerate(documents(150))]
    lab = new_lab(sqlite_url, made, workers=2, batch_size=5)
    assert lab.process().failed == {"malformed_xml": 70}
    assert len(failed(lab)) == 70
    assert lab.status().succeeded == 80


def test_the_limit_of_failures_can_be_switched_off(sqlite_url: str) -> None:
    made = [spoil(d, next(iter(FAULTS))) for d in documents(150)]
    lab = new_lab(sqlite_url, made, stop_after_failures=0)
    assert lab.process(batch_size=10).failed == {"malformed_xml": 150}


def test_a_success_in_between_starts_the_count_again(sqlite_url: str) -> None:
    fault = next(iter(FAULTS))
    made = [spoil(d, fault) if position % 10 else d for position, d in enumerate(documents(100))]
    lab = new_lab(sqlite_url, made, stop_after_failures=12)
    outcome = lab.process(batch_size=10)
    assert (outcome.succeeded, outcome.failed) == (10, {"malformed_xml": 90})


def test_failed_documents_can_be_taken_again(sqlite_url: str) -> None:
    made = documents(30)
    spoilt = {d.app_id: spoil(d, f) for d, f in zip(made, ("unclosed", "without_id"), strict=False)}
    lab = new_lab(sqlite_url, [spoilt.get(d.app_id, d) for d in made])
    lab.process()
    assert {c for c, _ in failed(lab).values()} == {"malformed_xml", "missing_app_id"}
    for d in made[:2]:
        execute(
            lab, "UPDATE app_xml SET app_xml = :text WHERE app_id = :app_id", text=d.text, app_id=d.app_id
        )
    assert lab.process().documents == 0
    assert lab.process(retry_failed="missing_app_id").succeeded == 1
    assert {c for c, _ in failed(lab).values()} == {"malformed_xml"}
    assert lab.process(retry_failed=True).succeeded == 1
    assert lab.status().succeeded == 30


def test_tables_that_do_not_fit_are_refused_with_all_differences(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(5))
    execute(lab, "ALTER TABLE app_contact_base DROP COLUMN suffix")
    execute(lab, "DROP TABLE indicators")
    execute(lab, "DELETE FROM app_enums WHERE enum_id = 281")
    with pytest.raises(PreflightError) as refused:
        lab.process()
    assert refused.value.exit_status == 2
    for part in ("app_contact_base", "suffix", "indicators", "281"):
        assert part in str(refused.value)
    assert lab.status().pending == 5


@pytest.mark.parametrize("table", ["processing_log", "app_xml"])
def test_a_missing_table_is_told_with_all_other_differences(sqlite_url: str, table: str) -> None:
    lab = new_lab(sqlite_url, documents(5))
    execute(lab, "ALTER TABLE app_contact_base DROP COLUMN suffix")
    execute(lab, "DROP TABLE indicators")
    execute(lab, f"DROP TABLE {table}")
    with pytest.raises(PreflightError) as refused:
        lab.process()
    assert sorted(refused.value.problems) == sorted(
        [f"table {table} is missing", "app_contact_base.suffix is missing", "table indicators is missing"]
    )


# ---- what a run tells


def test_the_outcome_accounts_for_the_run(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(200))
    outcome = lab.process(batch_size=20)
    assert sum(s.documents for s in outcome.slices) == 200
    assert len(outcome.slices) == 10
    assert sum(s.seconds for s in outcome.slices) == pytest.approx(outcome.seconds)
    assert outcome.rec_per_min == pytest.approx(200 / outcome.seconds * 60)
    busy = sum(outcome.stages.values())
    assert 0 < busy <= outcome.seconds * 1.05
    assert min(outcome.stages[s] for s in ("fetch", "parse", "map", "write", "commit")) > 0
    assert outcome.peak_memory_mb > 10
    assert outcome.cpu_seconds > 0
    assert outcome.settings.batch_size == 20
    plain = outcome.to_dict()
    assert plain["rec_per_min"] == outcome.rec_per_min
    assert plain["settings"]["batch_size"] == 20
    assert outcome.session_id in outcome._repr_html_()
    ((worker, share),) = outcome.by_worker.items()
    assert plain["by_worker"] == {worker: vars(share)}
    assert (share.documents, share.peak_memory_mb) == (200, outcome.peak_memory_mb)
    assert share.seconds >= outcome.seconds


def test_the_outcome_tells_what_each_worker_did(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(200))
    outcome = lab.process(batch_size=10, workers=2, stop_after_failures=10)
    assert sum(share.documents for share in outcome.by_worker.values()) == 200
    assert outcome.peak_memory_mb == sum(share.peak_memory_mb for share in outcome.by_worker.values())
    shown = {str(label) for label, _ in outcome.summary() if str(label).startswith("worker ")}
    assert shown == (
        {f"worker {name}" for name in outcome.by_worker} if len(outcome.by_worker) > 1 else set()
    )


def test_the_outcome_names_the_write_method(place: Place) -> None:
    lab = new_lab(place.url, documents(3), place.schema)
    best = {"sqlite": ["executemany"], "postgresql": ["copy"], "mssql": ["fast_executemany", "executemany"]}
    for asked, used in (("auto", best[place.kind]), ("executemany", ["executemany"])):
        outcome = lab.process(limit=1, write_method=asked)
        assert outcome.write_method in used
        assert outcome.to_dict()["write_method"] == outcome.write_method
        assert ("write method", outcome.write_method) in outcome.summary()
        assert outcome.settings.write_method == asked


def test_progress_counts_up_to_all_documents(sqlite_url: str) -> None:
    for workers in (1, 2):
        lab = new_lab(sqlite_url.replace("lab.db", f"{workers}.db"), documents(100), workers=workers)
        seen: list[Step] = []
        lab._progress = seen.append
        lab.process(batch_size=10, stop_after_failures=10)
        assert [s.done for s in seen] == sorted(s.done for s in seen)
        assert (seen[-1].done, seen[-1].total) == (100, 100)
        assert len(seen) > 3


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_of_the_callers_progress_stays_as_it_is(sqlite_url: str, prefetch: int) -> None:
    lab = new_lab(sqlite_url, documents(20), batch_size=10, prefetch=prefetch)

    def fail(_: Step) -> None:
        raise ZeroDivisionError("mine")

    lab._progress = fail
    with pytest.raises(ZeroDivisionError, match="mine"):
        lab.process()


def test_session_ids_carry_time_contract_and_chance() -> None:
    contract = load_contract()
    made = session_id(contract, datetime(2026, 1, 2, 3, 4, 5), random.Random(1))
    assert re.fullmatch(rf"20260102_030405-{contract.fingerprint}-[0-9a-f]{{4}}", made)
    assert len(made) <= 50


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_read_and_parsed_is_counted(sqlite_url: str, workers: int) -> None:
    """A beginning of 16,000 bytes is read of each; where that is too short, the whole text too."""
    made = documents(30, "realistic")
    long = f"<!--{'x' * 16_000}--><CustData"
    texts = [d.text.replace("<CustData", long, 1) if d.app_id % 10 == 0 else d.text for d in made]
    lab = new_lab(sqlite_url, workers=workers, batch_size=1000)
    put(lab, [(d.app_id, text) for d, text in zip(made, texts, strict=True)], {d.campaign_num for d in made})
    mapper = compile_mapper(lab.contract, lab.target.tables)
    parsed = [len(mapper.parse(text).data) for text in texts]
    first = [text.encode()[:16_000].decode(errors="ignore") for text in texts]
    again = [text for text, start in zip(texts, first, strict=True) if "</CustData>" not in start]
    assert len(again) == 3
    outcome = lab.process()
    assert outcome.characters_read == sum(map(len, first)) + sum(map(len, again))
    assert outcome.bytes_parsed == sum(parsed)
    lab.clean()
    outcome = lab.process(parse_mode="full")
    assert outcome.characters_read == sum(map(len, texts))
    assert outcome.bytes_parsed > sum(parsed)
