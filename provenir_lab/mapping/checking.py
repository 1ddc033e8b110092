"""What a well-formed contract can still have wrong."""

from __future__ import annotations

from provenir_lab.mapping.contract import Contract


def contract_problems(contract: Contract) -> list[str]:
    return []
