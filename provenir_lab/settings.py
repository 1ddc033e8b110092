"""Every tunable of the processor, validated; and database profiles by name.

The command line, the notebooks and the experiments all build the same `Settings`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provenir_lab.errors import UsageError


class Settings(BaseModel):
    """The processor's tunables. Frozen; an experiment varies one field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(500, ge=1, le=100_000)
    """Documents written per transaction (1 to 100,000)."""
    workers: int = Field(1, ge=1, le=256)
    """Worker processes (1 to 256)."""
    parse_mode: Literal["selective", "full"] = "selective"
    """`selective` stops where the mapped subtree ends; `full` demands a well-formed whole document."""
    max_document_mb: int = Field(16, ge=1, le=2000)
    """Largest document that is parsed, in MB (1,000,000 bytes of UTF-8); larger ones fail as `too_large`."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """Least severe log line that is written."""


def build_settings(values: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """`base` (default: all defaults) with `values` laid over it.

    Raises UsageError naming the field, what is wrong with it and the nearest valid name.
    """
    for name in values:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"settings are: {', '.join(Settings.model_fields)}"
            raise UsageError(f"no setting is named {name}: {hint}")
    try:
        return Settings.model_validate({**(base or Settings()).model_dump(), **values})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"setting {name}={values.get(name)!r}: {problem['msg']}") from None
