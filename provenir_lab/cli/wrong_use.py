"""One line about a command line that cannot be understood: what, where, and what to type instead."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from provenir_lab.settings import Settings

PROGRAM = "provenir-lab"


def wrong_use(error: Any, asked: Sequence[str], group: Any) -> str:
    """The message for a usage `error` of the parser; `group` is the parser's root, `asked` what was typed."""
    words, commands = _named(asked, group)
    place = " ".join([PROGRAM, *words])
    if commands is not None and asked[len(words) : len(words) + 1] == []:
        return f"{place} needs one of its commands: {', '.join(commands)} (see {place} --help)"
    option = getattr(error, "option_name", None)
    text = error.format_message().partition(" (Possible")[0].rstrip(".")
    text = text.partition(", unable to parse string")[0]
    advice = f"see {place} --help"
    if text.startswith("No such option") and option:
        advice = f"{_about_option(option, error, words, group)}; {advice}"
    elif text.startswith("No such command") and "Did you mean" not in text and commands:
        advice = f"commands are: {', '.join(commands)}; {advice}"
    return f"{text} ({advice})"


def _named(asked: Sequence[str], group: Any) -> tuple[list[str], list[str] | None]:
    """The command that was typed, as words, and the names to choose from where it goes on."""
    words: list[str] = []
    for word in asked:
        known = getattr(group, "commands", None)
        if known is None or word not in known:
            break
        words.append(word)
        group = known[word]
    known = getattr(group, "commands", None)
    return words, None if known is None else list(known)


def _about_option(option: str, error: Any, words: list[str], group: Any) -> str:
    """The nearest option, the setting of that name, or the commands that have it."""
    if not words:
        return f"options follow the command, as in {PROGRAM} status --json"
    if near := difflib.get_close_matches(option, getattr(error, "possibilities", None) or [], n=1):
        return f"did you mean {near[0]}?"
    setting = option.removeprefix("--").replace("-", "_")
    having = [name for name, command in group.commands.items() if option in _options(command)]
    if setting in Settings.model_fields and "--set" in _options(group.commands[words[0]]):
        return f"it is a setting: --set {setting}=VALUE"
    if having:
        return f"{words[0]} has none, it is an option of {', '.join(having)}"
    return f"options are: {', '.join(_options(group.commands[words[0]]))}"


def _options(command: Any) -> list[str]:
    return [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
