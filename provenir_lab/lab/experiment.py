"""Experiment files as validated models: what is varied, on which documents, how often, and what counts as a
gain.

A baseline is an experiment without candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from provenir_lab.errors import UsageError
from provenir_lab.lab.record import STAGES
from provenir_lab.settings import Settings, build_settings, plain_problem, suggestion

TOGETHER = "everything accepted"
"""Name of the candidate that holds all accepted settings."""
DUPLICATE_SETTINGS = ("duplicate_check",)
"""Settings whose effect only shows on documents that share contacts."""


class Documents(BaseModel):
    """The workload: generated documents, or (`stored`) the ones that the database already holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int | Literal["auto"] = "auto"
    """How many; `auto`: as many as make a run of the baseline last `min_seconds`."""
    min_seconds: float = Field(default=2.0, gt=0, le=3600)
    profile: Literal["compact", "realistic", "heavy", "stored"] = "compact"
    seed: int = 1
    duplicate_contacts: float = Field(default=0.0, ge=0, le=1)
    """Share of documents whose contact another application already has (0 to 1)."""

    @model_validator(mode="after")
    def _positive_count(self) -> Self:
        if isinstance(self.count, int) and self.count < 1:
            raise ValueError("count must be at least 1, or auto")
        return self


DOCUMENT_PROFILES: tuple[str, ...] = get_args(Documents.model_fields["profile"].annotation)


class QuickForm(BaseModel):
    """What the quick form takes instead: fewer candidates, six pairs, one-second runs, one look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: list[Any] | None = None
    runs: int = Field(default=6, ge=6, le=100)
    min_seconds: float = Field(default=1.0, gt=0, le=3600)


class CodeChange(BaseModel):
    """Two versions of the package, as names of commits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: str
    candidate: str


class Experiment(BaseModel):
    """One experiment: the baseline's settings against candidates that differ in the ONE setting `change`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    phase: str = ""
    hypothesis: str = ""
    expected_gain_percent: tuple[float, float] | None = None
    notebook: str | None = None
    change: str | None = None
    """The setting that varies; None: a baseline, measured against itself."""
    candidates: list[Any] = []
    stages: list[str] = []
    """Stages of the processor on whose time the change can save; their share bounds the gain."""
    skip_below_percent: float | None = Field(default=None, gt=0, le=100)
    """A campaign skips the experiment if `stages` take a smaller share of the baseline's time."""
    together: dict[str, Any] = {}
    """Only the last step of a campaign: all accepted settings, as one candidate against the original ones."""
    code: CodeChange | None = None
    """Only of `compare-code`: the versions of the package that are compared, with the same settings."""
    settings: dict[str, Any] = {}
    """Settings of baseline and candidates alike, over the accepted ones (such as `workers: 1`)."""
    documents: Documents = Documents()
    runs: int = Field(default=10, ge=1, le=1000)
    """Pairs of a candidate and the baseline, at least 6; of a baseline: its runs."""
    max_runs: int = Field(default=40, ge=1, le=1000)
    """Pairs after the second look at an inconclusive comparison; not above `runs`: there is one look."""
    threshold_percent: float = Field(default=3.0, gt=0, le=100)
    keep_if_equivalent: bool = False
    """Keep a candidate that makes no difference (the plan's "same: keep it anyway")."""
    seed: int = 1
    """Of the order of the runs."""
    quick: QuickForm = QuickForm()
    is_quick: bool = False
    """Whether this is the quick form: its verdicts are indicative."""

    @property
    def is_baseline(self) -> bool:
        return self.change is None and not self.together and self.code is None

    @property
    def threshold(self) -> float:
        return self.threshold_percent / 100

    @property
    def warm_up(self) -> int:
        """Warm-up runs of each variant: a block, of the quick form half a one."""
        return 1 if self.is_quick else 2

    @model_validator(mode="before")
    @classmethod
    def _one_change(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and isinstance(values.get("change"), (list, dict, tuple)):
            raise ValueError("change: an experiment varies one setting; make one experiment of each")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = set(self.stages) - set(STAGES)
        if unknown:
            raise ValueError(f"stages: no stage is named {min(unknown)}; they are {', '.join(STAGES)}")
        if self.change is None:
            if self.candidates:
                raise ValueError("candidates need a change: the setting that varies")
        elif self.together or self.code:
            raise ValueError("together, code: only without a change")
        elif not self.candidates:
            raise ValueError("a change needs candidates: the values to try")
        if not self.is_baseline and self.runs < 6:
            raise ValueError("runs: below six pairs no exact 95 % interval exists")
        if not self.is_baseline and self.runs == 6 and self.max_runs > 6:
            raise ValueError("runs: a second look (max_runs) needs 7 pairs at the first; set max_runs: 6")
        if self.change is None:
            return self
        if self.change in self.settings:
            raise ValueError(f"settings: {self.change} is what varies; leave it out")
        if len({repr(value) for value in self.candidates}) < len(self.candidates):
            raise ValueError("candidates: a value stands there twice")
        return self

    def baseline_settings(self, accepted: Settings) -> Settings:
        """The settings of the baseline: the accepted ones with the experiment's own over them."""
        return build_settings(self.settings, accepted)

    def variants(self, accepted: Settings) -> dict[str, Settings]:
        """Name -> settings, the baseline first. Candidates equal to the baseline are left out.

        Raises UsageError for an unknown setting or value, or if no candidate differs from the baseline.
        """
        baseline = self.baseline_settings(accepted)
        found = {"baseline": baseline}
        if self.together:
            found[TOGETHER] = build_settings(self.together, baseline)
        if self.code is not None:
            found[variant_name("code", self.code.candidate)] = baseline
        if self.change is None:
            return found
        for value in self.candidates:
            if isinstance(value, Mapping):
                raise UsageError(
                    f"experiment {self.name}: candidate {value}: an experiment varies one setting"
                    f" ({self.change}); give its values alone"
                )
            settings = build_settings({self.change: value}, baseline)
            if settings != baseline:
                found[variant_name(self.change, value)] = settings
        if len(found) == 1:
            raise UsageError(
                f"experiment {self.name}: no candidate differs from the accepted"
                f" {self.change}={getattr(baseline, self.change)}; nothing to compare"
            )
        return found

    def as_quick(self) -> Experiment:
        """The quick form of this experiment."""
        documents = self.documents.model_copy(update={"min_seconds": self.quick.min_seconds})
        update: dict[str, Any] = {"is_quick": True, "documents": documents}
        if not self.is_baseline:
            update |= {"runs": self.quick.runs, "max_runs": self.quick.runs}
            update["candidates"] = self.quick.candidates or self.candidates[:2]
        return self.model_copy(update=update)

    def check(self, accepted: Settings, available: int | None = None) -> None:
        """Refuses an experiment whose documents cannot show its effect. Raises UsageError, saying why.

        `available`: how many documents there are; None: as many as asked for.
        """
        variants = self.variants(accepted)
        problem = _workload_problem(self, variants, available)
        if problem:
            raise UsageError(f"experiment {self.name}: {problem}")

    def minimum_documents(self, accepted: Settings) -> int:
        """The fewest documents on which its variants can differ: two transactions for every worker."""
        return 2 * max(s.batch_size * s.workers for s in self.variants(accepted).values())


def variant_name(change: str, value: Any) -> str:
    """How a candidate is called in tables and figures: `batch_size=1000`."""
    return f"{change}={str(value).lower() if isinstance(value, bool) else value}"


def _workload_problem(
    experiment: Experiment, variants: Mapping[str, Settings], available: int | None
) -> str | None:
    documents = experiment.documents
    if experiment.change in DUPLICATE_SETTINGS and documents.profile != "stored":
        if documents.duplicate_contacts == 0:
            return "documents without duplicate contacts cannot show this; set documents.duplicate_contacts"
        if any(settings.workers > 1 for settings in variants.values()):
            return "which of two applications keeps a shared contact depends on the order; set workers: 1"
    if experiment.change == "parse_mode" and documents.profile == "compact":
        return "compact documents hold little to skip; use documents.profile: realistic"
    counts = [count for count in (documents.count, available) if isinstance(count, int)]
    if experiment.change in ("workers", "batch_size") and counts:
        fewest = 2 * max(s.batch_size * s.workers for s in variants.values())
        if min(counts) < fewest:
            few = available is not None and available < fewest
            advice = "load or generate more" if few else "raise documents.count or say auto"
            return (
                f"{min(counts)} documents are too few: {experiment.change} shows from {fewest} on"
                f" (two transactions for every worker); {advice}"
            )
    return None


def parse_experiment(values: Any, where: str) -> Experiment:
    """A model from the content of a file. Raises UsageError: `where`, the key, and what to do."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: expected keys such as name, title, change and candidates")
    _known_keys(values, Experiment, where)
    for key, model in (("documents", Documents), ("quick", QuickForm)):
        if isinstance(values.get(key), Mapping):
            _known_keys(values[key], model, f"{where}: {key}")
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from None
    if experiment.change is not None:
        _known_keys({experiment.change: None}, Settings, f"{where}: change", kind="setting")
    for key in ("settings", "together"):
        _known_keys(getattr(experiment, key), Settings, f"{where}: {key}", kind="setting")
    return experiment


def load_experiment(path: str | Path) -> Experiment:
    """Reads an experiment file. Raises UsageError if it cannot be read or does not hold an experiment."""
    experiment = parse_experiment(read_yaml(path), str(path))
    if experiment.together:
        raise UsageError(f"{path}: together: an experiment varies one setting; make one experiment of each")
    if experiment.code:
        raise UsageError(f"{path}: code: two versions are named to provenir-lab compare-code, not in a file")
    return experiment


def together(
    values: Mapping[str, Any], documents: Documents = Documents(), runs: int = 10, name: str = "end-to-end"
) -> Experiment:
    """All of `values` as one candidate against the settings without them. Raises UsageError for no value."""
    if not values:
        raise UsageError("no setting is accepted yet: run a campaign first, or name another accepted.yaml")
    return Experiment(
        name=name,
        title="Everything accepted",
        hypothesis="The gains of the phases hold together.",
        together=dict(values),
        documents=documents,
        runs=runs,
        max_runs=runs,
    )


def adjusted(
    experiment: Experiment, runs: int | None, documents: int | str | None, *, quick: bool
) -> Experiment:
    """The experiment in its quick form if asked, with another number of pairs or documents. Raises
    UsageError.
    """
    values = (experiment.as_quick() if quick else experiment).model_dump()
    if runs is not None:
        one_look = values["is_quick"] or runs <= 6  # six pairs reach no 97.5 % interval
        values |= {"runs": runs, "max_runs": runs if one_look else max(runs, values["max_runs"])}
    if documents is not None:
        values["documents"] = values["documents"] | {"count": documents}
    return parse_experiment(values, f"experiment {experiment.name}")


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file. Raises UsageError."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(
            f"{path}{place} is not YAML: {error.problem}; look at the indentation, and put "
            "a text with : or # in quotes"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise UsageError(f"{path} is not YAML: it must be a text file in UTF-8") from None


def first_problem(error: ValidationError) -> str:
    """`place: what is wrong`, of the first problem that pydantic found."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    text = plain_problem(problem)
    return f"{place}: {text}" if place else text


def _known_keys(values: Mapping[Any, Any], model: type[BaseModel], where: str, kind: str = "key") -> None:
    for key in values:
        if key not in model.model_fields:
            known = [name for name in model.model_fields if name not in ("is_quick", "together", "code")]
            hint = suggestion(str(key), known, f"{kind}s")
            raise UsageError(f"{where}: unknown {kind} {key}: {hint}")
