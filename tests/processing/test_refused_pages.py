"""What a refused document leaves in memory."""

from __future__ import annotations

import gc
from types import FrameType

from labs import documents, new_lab, put


def test_nothing_of_a_page_waits_for_the_collector_of_cycles(sqlite_url: str) -> None:
    """An exception that is kept holds the frames it passed through, and with them the whole page."""
    lab = new_lab(sqlite_url, documents(30), batch_size=10)
    put(lab, [(app_id, "<Provenir><Request></Provenir>") for app_id in range(1, 11)])
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        outcome = lab.process()
        gc.collect()
        kept = {frame.f_code.co_qualname for frame in gc.garbage if isinstance(frame, FrameType)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert (outcome.succeeded, outcome.failed) == (30, {"malformed_xml": 10})
    assert not {name for name in kept if name.startswith("Preparation")}
