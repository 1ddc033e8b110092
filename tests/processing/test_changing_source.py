"""Documents that others change or delete while a run reads them: one text of each counts, and once."""

from __future__ import annotations

from pathlib import Path

import pytest
from labs import FIRST_ID, digests, documents, execute, new_lab, put
from places import Place

from provenir_lab.api import Lab
from provenir_lab.mock import MockDocument, generate
from provenir_lab.processing import worker
from provenir_lab.progress import Step
from provenir_lab.storage.digest import TableDigest
from provenir_lab.storage.prefix import PrefixLength
from provenir_lab.storage.source import Pending

COUNT, BATCH = 30, 10


def another(app_id: int) -> MockDocument:
    """Another document with this app_id."""
    (found,) = generate(1, seed=app_id, profile="compact", start_app_id=app_id)
    assert found.text != documents(COUNT)[app_id - FIRST_ID].text
    return found


def change(lab: Lab, deleted: int, changed: MockDocument) -> None:
    source = "app_xml" if lab.database.url.startswith("sqlite:") else f"{lab.target.schema}.app_xml"
    execute(lab, f"DELETE FROM {source} WHERE app_id = :id", id=deleted)
    statement = f"UPDATE {source} SET app_xml = :text WHERE app_id = :id"
    execute(lab, statement, id=changed.app_id, text=changed.text)


def undisturbed(folder: Path, deleted: int, changed: MockDocument) -> dict[str, TableDigest]:
    """The tables where these two were deleted and changed before the run."""
    final = [changed if d.app_id == changed.app_id else d for d in documents(COUNT) if d.app_id != deleted]
    lab = new_lab(f"sqlite:///{(folder / 'undisturbed.db').as_posix()}", final)
    assert lab.process().succeeded == COUNT - 1
    return digests(lab)


@pytest.mark.parametrize(("place", "prefetch"), [("sqlite", 0), ("postgresql", 2)], indirect=["place"])
def test_between_the_beginning_of_a_text_and_all_of_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefetch: int
) -> None:
    deleted, changed = FIRST_ID + 13, another(FIRST_ID + 16)
    lab = new_lab(place.url, documents(COUNT), place.schema, batch_size=BATCH, prefetch=prefetch)
    put(lab, [], [changed.campaign_num])
    whole, read = Pending.whole, list[int]()

    def changed_before(pending: Pending, app_ids: list[int]) -> dict[int, str | None]:
        if deleted in app_ids:
            change(lab, deleted, changed)
        read.extend(app_ids)
        return whole(pending, app_ids)

    monkeypatch.setattr(worker, "PrefixLength", lambda: PrefixLength(500))
    monkeypatch.setattr(Pending, "whole", changed_before)
    outcome = lab.process()
    assert read == [d.app_id for d in documents(COUNT)], "no beginning was enough"
    assert (outcome.succeeded, outcome.failed) == (COUNT - 1, {})
    assert digests(lab) == undisturbed(tmp_path, deleted, changed)
    assert lab.process().documents == 0


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_between_batches(place: Place, tmp_path: Path) -> None:
    """What is done stays as it was read; what is not read yet is read as it is then."""
    deleted, changed = FIRST_ID + 23, another(FIRST_ID + 26)
    lab = new_lab(place.url, documents(COUNT), place.schema, batch_size=BATCH)
    put(lab, [], [changed.campaign_num])

    def change_both(step: Step) -> None:
        if step.done == BATCH:
            change(lab, FIRST_ID + 3, another(FIRST_ID + 6))
            change(lab, deleted, changed)

    lab._progress = change_both
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed) == (COUNT - 1, {})
    assert digests(lab) == undisturbed(tmp_path, deleted, changed)
    assert lab.process().documents == 0
