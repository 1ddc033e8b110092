"""What a shell may complete: the values that options take. Each gets what was typed so far."""

from __future__ import annotations

from collections.abc import Iterable


def databases(incomplete: str) -> list[str]:
    """Profiles of the nearest provenir_lab.toml."""
    from provenir_lab.settings import profile_names

    return _beginning(incomplete, profile_names())


def settings(incomplete: str) -> list[str]:
    """`batch_size=` and so on."""
    from provenir_lab.settings import Settings

    return _beginning(incomplete, [f"{name}=" for name in Settings.model_fields])


def categories(incomplete: str) -> list[str]:
    """Reasons for which documents fail."""
    from provenir_lab.errors import CATEGORIES

    return _beginning(incomplete, CATEGORIES)


def executors(incomplete: str) -> list[str]:
    """Where workers may run."""
    from provenir_lab.api import EXECUTORS

    return _beginning(incomplete, EXECUTORS)


def generated_profiles(incomplete: str) -> list[str]:
    """Kinds of documents that can be made."""
    from provenir_lab.mock import PROFILES

    return _beginning(incomplete, PROFILES)


def document_profiles(incomplete: str) -> list[str]:
    """Kinds of documents that can be measured on."""
    from provenir_lab.lab.experiment import DOCUMENT_PROFILES

    return _beginning(incomplete, DOCUMENT_PROFILES)


def _beginning(incomplete: str, values: Iterable[str]) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]
