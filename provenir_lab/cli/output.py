"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import Any, Protocol

from provenir_lab.display import text_lines

_SECRETS = (
    (re.compile(r"(:/{1,2}[^\s/:@]*:)\S+@"), r"\1***@"),
    (re.compile(r"(?i)\b((?:\w*password|pwd)=)[^\s&;]+"), r"\1***"),
)
"""The passwords in addresses of databases, and what takes their place."""


class Result(Protocol):
    """What every result can do."""

    def to_dict(self) -> dict[str, Any]: ...

    def summary(self) -> list[tuple[str, object]]: ...


def write_unicode() -> None:
    """Lets both outputs take every character: pipes and files are UTF-8 on every system, and what the rest (a
    terminal's encoding, a broken file name) cannot express is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding=stream.encoding if stream.isatty() else "utf-8", errors="backslashreplace"
            )


def show(result: Result, *, as_json: bool) -> None:
    """A result as one JSON object, or as aligned lines."""
    if as_json:
        show_json(result.to_dict())
    else:
        print("\n".join(text_lines(result.summary())))


def show_json(value: Any) -> None:
    """One JSON object on one line."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def show_error(message: str) -> None:
    """`error: ...` on standard error."""
    print(f"error: {message}", file=sys.stderr)


def show_failure(message: str, status: int, *, as_json: bool) -> int:
    """The error on standard error, with `--json` also as the one object on standard output.

    What was typed may be quoted in it, and that may be an address in a place where none belongs.
    """
    for secret, instead in _SECRETS:
        message = secret.sub(instead, message)
    show_error(message)
    if as_json:
        show_json({"error": message, "exit_status": status})
    return status


def show_message(message: str, *, quiet: bool) -> None:
    """A remark on standard error."""
    if not quiet:
        print(message, file=sys.stderr)
