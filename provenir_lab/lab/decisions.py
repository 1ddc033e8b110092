"""What was decided: the settings accepted so far, and the log of decisions. Plain files that people may
read and edit.

`accepted.yaml` holds one entry a setting, with the experiment and the result that earned it. Reverting
one removes its entry and leaves the others.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenir_lab.display import html_table
from provenir_lab.errors import UsageError
from provenir_lab.lab.experiment import read_yaml, variant_name
from provenir_lab.lab.record import Folder
from provenir_lab.settings import Settings, build_settings

if TYPE_CHECKING:
    from provenir_lab.lab.explore import View

ACCEPTED_FILE = "accepted.yaml"
"""In a campaign's folder, beside its `decisions.jsonl`."""
NOTHING = (
    "Nothing is accepted yet. A campaign accepts what is proved faster: run provenir-lab campaign"
    " experiments/campaign-phase2.yaml, then this again."
)

REVERTED = "REVERTED"


@dataclass(frozen=True)
class Decision:
    """What came of one phase, or that it was taken back later; a line of `decisions.jsonl`."""

    time: str
    """UTC, ISO 8601."""
    phase: str
    experiment: str
    title: str
    hypothesis: str
    expected_gain_percent: tuple[float, float] | None
    ceiling: float | None
    """The best speed-up that removing the stages in question altogether could give."""
    threshold_percent: float | None
    setting: str | None
    value: Any
    """Of the candidate that was judged; None: none was."""
    verdict: str
    """One of the five, SKIPPED, or REVERTED: what an earlier line kept was taken back."""
    decision: str
    reason: str
    ratio: Mapping[str, float] | None
    """Centre, low, high and confidence of candidate / baseline throughput."""
    pairs: str
    """Valid pairs of those planned, as `10 of 10`; a dash where nothing ran."""
    spread: float | None
    """Standard deviation of the pairs' log ratios."""
    peak_memory_mb: float | None
    rows_verified: int | None
    """Rows in the tables, equal by digest."""
    before_rec_per_min: float | None
    """Medians of this phase's own baseline and of the candidate."""
    after_rec_per_min: float | None
    evidence: str | None
    """The result's folder, beside the log."""
    indicative: bool = False

    @property
    def candidate(self) -> str:
        """`batch_size=1000`; a dash where none was judged."""
        return "–" if self.value is None else variant_name(str(self.setting), self.value)

    @property
    def kept(self) -> bool:
        return self.decision == "keep"


def read_decisions(folder: Path) -> list[Decision]:
    """All decisions in `decisions.jsonl`, in order; a line cut short by an interruption is left out."""
    path = folder / "decisions.jsonl"
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    found = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        values = json.loads(line)
        gain = values["expected_gain_percent"]
        found.append(Decision(**{**values, "expected_gain_percent": tuple(gain) if gain else None}))
    return found


def write_decisions(folder: Path, decisions: list[Decision]) -> None:
    """Writes the whole log, in one piece."""
    lines = [json.dumps(asdict(decision), ensure_ascii=False) + "\n" for decision in decisions]
    Folder(folder).write("decisions.jsonl", "".join(lines))


def decided(results: Path) -> View:
    """Every phase of the campaign in `results` that decided last, with what came of it, and what was taken
    back since; no row where there is none.
    """
    from provenir_lab.lab.explore import View

    header = ("phase", "candidate", "verdict", "decision", "reason")
    logs = {path.parent: read_decisions(path.parent) for path in results.glob("*/decisions.jsonl")}
    logs = {home: log for home, log in logs.items() if log}
    if not logs:
        return View(f"No campaign has decided anything in {results} yet", header, ())
    home = max(logs, key=lambda folder: logs[folder][-1].time)
    rows = []
    for d in logs[home]:
        verdict = d.verdict + (" (indicative)" if d.indicative and d.ratio else "")
        rows.append((f"{d.phase} {d.title}".strip(), d.candidate, verdict, d.decision, d.reason))
    phases = sum(d.verdict != REVERTED for d in logs[home])
    kept = sum(d.kept for d in logs[home]) - (len(rows) - phases)
    return View(f"Campaign {home.name}: {kept} of {phases} phases kept", header, tuple(rows))


@dataclass(frozen=True)
class Accepted:
    """The settings kept so far: setting -> its entry: value, phase, experiment, and the result that earned it
    as its folder below the results (`<campaign>/<folder>`).
    """

    entries: Mapping[str, Mapping[str, Any]]

    def settings(self, base: Settings | None = None) -> Settings:
        """`base` with all kept values over it."""
        return build_settings({name: entry["value"] for name, entry in self.entries.items()}, base)

    def values(self) -> dict[str, Any]:
        """Setting -> value."""
        return {name: entry["value"] for name, entry in self.entries.items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: setting -> value, phase, experiment, result."""
        return {name: dict(entry) for name, entry in self.entries.items()}

    def summary(self) -> list[tuple[str, object]]:
        """Setting, and its value with what earned it, for people."""
        found = [(n, f"{e['value']} ({e.get('experiment', 'by hand')})") for n, e in self.entries.items()]
        return [*found] or [("accepted", "nothing")]

    def _repr_html_(self) -> str:
        keys = ("value", "phase", "experiment", "result")
        rows = [(name, *(entry.get(key, "") for key in keys)) for name, entry in self.entries.items()]
        return html_table("Accepted settings", rows, ("setting", *keys)) if rows else f"<p>{NOTHING}</p>"

    def with_decision(self, decision: Decision, campaign: str) -> Accepted:
        """These settings with what a phase of `campaign` kept; unchanged if it kept nothing."""
        if not decision.kept or decision.setting is None:
            return self
        entry = {
            "value": decision.value,
            "phase": decision.phase,
            "experiment": decision.experiment,
            "result": f"{campaign}/{decision.evidence}",
        }
        return Accepted({**self.entries, decision.setting: entry})

    def without(self, phase: str, campaign: str | None = None) -> Accepted:
        """These settings but for what `phase` (its name, its experiment's or its setting's) kept.

        Raises UsageError if it kept nothing. `campaign`: as of `belongs`.
        """
        gone = self.belongs(phase, campaign)
        if not gone:
            known = [n for name, e in self.entries.items() for n in (name, e.get("experiment")) if n]
            near = difflib.get_close_matches(phase, known, n=1)
            kept = ", ".join(f"{e.get('phase', 'by hand')} ({name})" for name, e in self.entries.items())
            hint = f"did you mean {near[0]}?" if near else f"accepted is: {kept or 'nothing'}"
            raise UsageError(f"nothing accepted belongs to {phase}: {hint}")
        return Accepted({name: entry for name, entry in self.entries.items() if name not in gone})

    def belongs(self, phase: str, campaign: str | None = None) -> list[str]:
        """The settings that `phase` (its name, its experiment's or its setting's) kept; with `campaign` only
        those that no other campaign has earned.
        """
        return [
            name
            for name, entry in self.entries.items()
            if phase in (name, entry.get("phase"), entry.get("experiment"))
            and (campaign is None or _earned_by(entry) in (campaign, None))
        ]

    def not_of(self, campaign: str) -> Accepted:
        """These settings but for those that `campaign` has earned."""
        return Accepted({name: e for name, e in self.entries.items() if _earned_by(e) != campaign})


def _earned_by(entry: Mapping[str, Any]) -> str | None:
    """The campaign of an entry; None for one that was made by hand."""
    return str(entry["result"]).partition("/")[0] if entry.get("result") else None


def load_accepted(path: str | Path) -> Accepted:
    """The accepted settings of a file; none if there is no file. Raises UsageError for one that is
    damaged.
    """
    path = Path(path)
    if not path.is_file():
        return Accepted({})
    content = read_yaml(path) or {}
    if not isinstance(content, dict) or any(
        not isinstance(entry, dict) or "value" not in entry for entry in content.values()
    ):
        raise UsageError(f"{path}: expected an entry with a value for each setting")
    accepted = Accepted(content)
    accepted.settings()
    return accepted


def save_accepted(path: str | Path, accepted: Accepted) -> None:
    """Writes the file, in one piece."""
    path = Path(path)
    Folder(path.parent).write_yaml(path.name, {name: dict(entry) for name, entry in accepted.entries.items()})
