"""Every error a user can meet. One root; a message says what is wrong, where, and what to do next.

Terminal and transient are types, so nobody guesses from texts what may be tried again. All errors survive
pickling between processes: what they carry is in `args`.
"""

import traceback
from pathlib import Path


class LabError(Exception):
    """Root of all errors. `exit_status` is what the command line ends with."""

    exit_status = 1

    def _render_traceback_(self) -> list[str]:
        """For notebooks: the line that says it all."""
        return [f"error: {self}"]


class UsageError(LabError):
    """The caller asked for something that cannot be done as asked (bad option, missing file, bad setting)."""

    exit_status = 2


class ContractError(UsageError):
    """A mapping contract cannot be used. `problems` lists every problem, each with its place."""

    def __init__(self, where: str, problems: list[str]) -> None:
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        many = len(self.problems) != 1
        return _listed(f"{self.where}: {len(self.problems)} problems" if many else self.where, self.problems)


def _listed(head: str, problems: list[str]) -> str:
    """One problem behind the head, several below it."""
    if len(problems) == 1:
        return f"{head.removesuffix(':')}: {problems[0]}"
    return head + "".join(f"\n  {problem}" for problem in problems)


class GuardError(UsageError):
    """An operation would touch data that is not the lab's own; nothing was changed."""


class PreflightError(UsageError):
    """Contract and database do not fit together. `problems` lists every difference."""

    def __init__(self, where: str, problems: list[str]) -> None:
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        return _listed(f"{self.where} does not fit the contract:", self.problems)


class DatabaseError(LabError):
    """The database failed in a way that no document is to blame for."""


class TransientError(DatabaseError):
    """A database failure that may pass: deadlock, lock time-out, lost connection, restart, busy."""


class Fault(LabError):
    """What nobody foresaw, a fault of this program: see `fault`."""


class DatabaseRefusal(LabError):
    """The database refused rows: terminal, some document of the batch is at fault.

    `category` is a rejection category, `reason` names table, column or constraint class; never a value.
    """

    def __init__(self, category: str, reason: str) -> None:
        super().__init__(category, reason)
        self.category = category
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.category}: {self.reason}"


CATEGORIES = (
    "malformed_xml",
    "forbidden_doctype",
    "too_large",
    "not_provenir",
    "missing_app_id",
    "invalid_app_id",
    "app_id_mismatch",
    "invalid_con_id",
    "wrong_product_line",
    "missing_required",
    "value_out_of_range",
    "value_too_long",
    "not_representable",
    "duplicate_app_id",
    "constraint_violation",
)
"""The reasons for which a document can fail; `failure_reason` in the log starts with one of them."""


class Rejected(Exception):
    """A document cannot become rows. Not a `LabError`: it is an outcome of the work, logged per document.

    `category` is one of `CATEGORIES`; `reason` names element, attribute, table, column, line, position; never
    a value of the document.
    """

    def __init__(self, category: str, reason: str) -> None:
        super().__init__(category, reason)
        self.category = category
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.category}: {self.reason}"


def origin(error: Exception) -> str:
    """An unexpected error without its text, which may hold values: `ValueError in plan.py line 33`."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(last.filename).name} line {last.lineno}"


def fault(unexpected: Exception, who: str) -> Fault:
    """An unexpected error in the work of `who` as one that may be told: raise it `from None`."""
    return Fault(f"unexpected {origin(unexpected)} of {who}, a fault of provenir-lab")
