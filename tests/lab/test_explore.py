"""A look into a document of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from labs import documents

from provenir_lab.errors import UsageError
from provenir_lab.lab.explore import explore


def test_a_path_may_be_relative_to_a_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterLab copies paths relative to the project, while a kernel stands in the notebook's folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.xml").write_text(documents(1)[0].text, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert explore(document="mine/a.xml").sizes.title.endswith("1 document")
    with pytest.raises(UsageError, match=r"there is no mine/b\.xml, here or above"):
        explore(document="mine/b.xml")
