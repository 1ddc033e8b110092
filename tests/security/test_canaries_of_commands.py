"""The commands beside the work hold no value and no password: what they refuse, list, copy and draw again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labs import FIRST_ID, documents, execute, failed, new_lab, put
from places import Place
from telling import NAME, NUMBER, PASSWORD, WORDS, telling, telling_documents
from witness import Captured, Witness, change

from provenir_lab.aliases import generate_mock_xml, parallel_coordinator, production_processor
from provenir_lab.api import Lab

MAPPED = 40
"""So many of the telling documents can be mapped."""


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telling documents as files, and some that no database takes; where the witness does not look."""
    folder = tmp_path_factory.mktemp("source")
    texts = telling_documents()
    for app_id, text in texts.items():
        if f' ID="{NUMBER}"' in text:  # an app_id is told, and as a file it has no other
            continue
        (folder / f"{app_id}.xml").write_text(text, encoding="utf-8", newline="")
    first = texts[FIRST_ID]
    (folder / "again.xml").write_text(first, encoding="utf-8", newline="")
    (folder / "half.xml").write_bytes(first[: len(first) // 2].encode("utf-16"))
    (folder / "latin.xml").write_bytes(first.encode().replace(NAME.encode(), NAME.encode() + b"\xe9"))
    return folder


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # which quotes values when it refuses them
def test_what_load_clean_and_the_list_of_failures_say(
    with_password: Place, source: Path, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, schema = with_password.url, with_password.schema
    lab = new_lab(url, schema=schema)
    witness = Witness(url, schema, tmp_path, capfd)
    assert witness.call("load", "load", str(source)) == 0
    for category in ("duplicate_app_id", "invalid_app_id", "not_provenir", "forbidden_doctype"):
        assert category in witness.heard["load"]
    assert witness.call("load in JSON", "load", str(source), "--json") == 0
    witness.catch("load in a notebook", lambda: lab.load(source))
    nothing = tmp_path / "nul.xml"
    text = telling(documents(90)[-1].text)
    nothing.write_text(f"{text}\0", encoding="utf-8", newline="")
    assert witness.call("load what the server does not take", "load", str(nothing)) == 0
    assert "holds bytes that are no text" in witness.heard["load what the server does not take"]
    nothing.unlink()

    other = new_lab("sqlite:///other.db")
    unstorable = {FIRST_ID + 500: f"{text}\0", FIRST_ID + 502: NAME}
    put(other, {**telling_documents(), **unstorable}.items())
    bad = "UPDATE app_xml SET app_xml = CAST(:content AS TEXT) WHERE app_id = :id"
    execute(other, bad, content=text.encode() + b"\xe9", id=FIRST_ID + 502)
    assert witness.call("load from", "load", "--from", "sqlite:///other.db", "--sample", "100") == 0
    assert witness.heard["load from"].count("holds bytes that are no text") == 2
    witness.call("load from in JSON", "load", "--from", "sqlite:///other.db", "--sample", "7", "--json")
    assert "duplicate_app_id" in witness.heard["load from in JSON"]
    witness.call("load from itself", "load", "--from", url, "--sample", "5")
    nowhere = f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none"
    assert witness.call("load from nowhere", "load", "--from", nowhere, "--sample", "5") == 1

    assert lab.process(stop_after_failures=0).succeeded >= MAPPED
    assert failed(lab)
    assert witness.call("failures", "status", "--failed-csv", "failed.csv") == 0
    assert witness.call("verify", "verify", "--all") in (0, 1)
    assert witness.call("unasked", "clean") == 2
    change(lab, "UPDATE processing_log SET status = 'failed', failure_reason = 'malformed_xml: by hand'")
    assert witness.call("strangers", "clean", "--yes") == 2
    assert "were not written by this lab" in witness.heard["strangers"]
    change(lab, "UPDATE processing_log SET status = 'success', failure_reason = NULL")
    assert witness.call("clean", "clean", "--yes", "--json") == 0
    assert witness.indiscretions(WORDS) == []


def test_what_map_says_of_documents_that_it_rejects(
    source: Path, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = Witness("sqlite:///lab.db", None, tmp_path, capfd)
    assert witness.say("map", "map", str(source)) == 0
    lines = [json.loads(line) for line in witness.heard["map"].splitlines()]
    rejected = [line for line in lines if "rejected" in line]
    assert len(rejected) > 20
    assert NAME in str(lines[0]["rows"])  # rows are what it is asked for
    files = [line["file"] for line in rejected]
    assert witness.say("map", "map", *files) == 0
    assert witness.say("map in JSON", "map", "--json", *files, "--set=parse_mode=full") == 0
    monkeypatch.setattr("provenir_lab.api.mapped.SHOWN", 1000)
    witness.catch("map in a notebook", lambda: Lab("sqlite:///lab.db").map(*files))
    witness.heard["counts of rows"] = Lab("sqlite:///lab.db").map(source)._repr_html_()
    assert witness.indiscretions(WORDS) == []


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_what_the_earlier_names_say(
    with_password: Place, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = with_password.url
    lab = new_lab(url, schema="lab")
    put(lab, telling_documents().items(), {d.campaign_num for d in documents(80)})
    witness = Witness(url, "lab", tmp_path, capfd)
    process, generate = production_processor.main, generate_mock_xml.main
    assert witness.call("some", "--limit", "4", "--log-level", "DEBUG", by=process) == 0
    patient = ("--workers", "1", "--set", "stop_after_failures=0", "--json")
    assert witness.call("all", *patient, by=parallel_coordinator.main) == 0
    assert failed(lab)
    taken = ("--app-id-start", str(FIRST_ID), "--limit", "3")
    assert witness.call("taken", *taken, by=generate) == 2
    assert f"app_id {FIRST_ID} is in" in witness.heard["taken"]
    nowhere = f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none"
    assert witness.say("nowhere", "--database", nowhere, "--set", "retry_seconds=0", by=process) == 1
    assert "***" in witness.heard["nowhere"]
    assert witness.indiscretions(WORDS) == []


URL = f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none"


@pytest.mark.parametrize(
    "arguments",
    [
        [URL],
        ["process", URL],
        ["process", f"--databse={URL}"],
        ["process", "--workers", URL],
        ["process", "--set", URL],
        ["process", "--executor", URL],
        ["process", "--schema", URL],
        ["load", URL],
        ["load", URL.replace("127", "p@ss/127")],
        ["load", "--from", URL, "--sample", URL],
        ["report", URL],
        ["campaign", URL],
        ["compare-code", URL, URL, URL],
        ["baseline", "--profile", URL],
        ["load", f"postgresql://127.0.0.1/none?user=lab&password={PASSWORD}&sslmode=require"],
        ["load", f"Driver=x;Server=y;UID=lab;PWD={PASSWORD};Encrypt=no"],
    ],
    ids=lambda arguments: " ".join(word.partition(":")[0] for word in arguments),
)  # fmt: skip
def test_an_address_in_the_wrong_place_is_not_told_with_its_password(
    arguments: list[str], tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = Witness(URL, None, tmp_path, capfd)
    assert witness.say("both outputs", *arguments, "--json") in (1, 2)
    if arguments[0] == "process":
        witness.say("earlier name", *arguments[1:], by=production_processor.main)
    assert witness.indiscretions((PASSWORD,)) == []
