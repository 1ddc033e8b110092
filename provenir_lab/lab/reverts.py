"""Taking back what one phase of a campaign has earned, long after the campaign ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from provenir_lab.errors import UsageError
from provenir_lab.lab.campaign import campaign_home, load_campaign
from provenir_lab.lab.conduct import Clock, utc_now
from provenir_lab.lab.decisions import (
    ACCEPTED_FILE,
    REVERTED,
    Accepted,
    load_accepted,
    read_decisions,
    save_accepted,
    write_decisions,
)
from provenir_lab.lab.index import render_index
from provenir_lab.lab.notebooks import find_file
from provenir_lab.lab.record import Folder


def revert_phase(
    campaign: str | Path,
    phase: str,
    *,
    quick: bool = False,
    results: str | Path = "results",
    now: Clock = utc_now,
) -> Accepted:
    """Takes what one phase (or its experiment, or its setting) earned out of the accepted settings, and
    leaves the others: in the campaign's folder, and for its full form in the file that it names. The log of
    decisions gets a line.

    Returns what is left. Raises UsageError if the phase earned nothing, or while the campaign is unfinished.
    """
    file = find_file(campaign)
    plan = load_campaign(file)
    home = campaign_home(results, plan, quick)
    if (home.path / "campaign.json").is_file() and home.read_json("campaign.json")["finished"] is None:
        raise UsageError(f"campaign {plan.name} is not finished: run it again to go on with it, then revert")
    own, shared = home.path / ACCEPTED_FILE, file.parent / plan.accepted if plan.accepted else None
    files = [path for path in ((own,) if quick else (shared, own)) if path is not None and path.is_file()]
    if not files:
        raise UsageError(f"campaign {plan.name} has accepted nothing yet: run it first")
    before = load_accepted(files[0])
    left = before.without(phase, home.path.name)
    for path in files[1:]:
        if load_accepted(path).belongs(phase, home.path.name):
            save_accepted(path, load_accepted(path).without(phase, home.path.name))
    save_accepted(files[0], left)
    if (home.path / "campaign.json").is_file():
        _log_revert(home, set(before.entries) - set(left.entries), phase, now)
    return left


def _log_revert(home: Folder, settings: Collection[str], phase: str, now: Clock) -> None:
    """Adds to the log what is taken back of these settings, and writes the campaign's page anew."""
    decisions = read_decisions(home.path)
    kept = {d.setting: d for d in decisions if d.kept}  # the last one that kept a setting
    taken_back = [
        replace(
            kept[setting],
            time=now().isoformat(timespec="seconds"),
            verdict=REVERTED,
            decision="reverted",
            reason=f"taken back on request (--revert {phase})",
        )
        for setting in sorted(settings)
        if setting in kept
    ]
    write_decisions(home.path, [*decisions, *taken_back])
    render_index(home.path)
