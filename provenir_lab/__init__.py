"""Provenir XML to database tables, fast; and the laboratory that proves how fast.

    import provenir_lab as pl
    lab = pl.Lab("sqlite:///lab.db")

The command line `provenir-lab` has the same verbs as `Lab`.
"""

from typing import TYPE_CHECKING, Any

from provenir_lab.errors import LabError, Rejected, UsageError
from provenir_lab.settings import Settings

if TYPE_CHECKING:
    from provenir_lab.api import Lab, check_contract

__version__ = "0.1.0"
__all__ = ["Lab", "LabError", "Rejected", "Settings", "UsageError", "__version__", "check_contract"]


def __getattr__(name: str) -> Any:
    """`Lab` and `check_contract` on first use: workers and single modules then load without all the rest."""
    if name in ("Lab", "check_contract"):
        from provenir_lab import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
