"""Documents full of telling values, and the words to search for in all that is said about them."""

from __future__ import annotations

import re
from collections.abc import Callable

from labs import documents

from provenir_lab.mock import FAULTS, spoil

NAME, NUMBER, PASSWORD = "Zqxcanary", "666987123", "Zqxpassword"
"""In every name, address and social security number; in the URL of the database where it may have one."""
WORDS = (NAME, NUMBER, PASSWORD, "ZQXCAN")
PERSONAL = r"(first_name|last_name|mother_maiden_name|card_name|street_name|city|email|b_name|\w*_phone)"

Fault = Callable[[str], str]
OWN_FAULTS: dict[str, Fault] = {
    # what is wrong is the telling value itself
    "value_too_long": lambda text: within(text, "first_name", NAME * 30),
    "value_out_of_range": lambda text: within(text, "over_limit_fee", NUMBER),
    "constraint_violation": lambda text: within(text, "campaign_num", "ZQXCAN"),
    "invalid_con_id": lambda text: within(text, "con_id", NAME),
    "invalid_app_id": lambda text: re.sub(r'(<Request [^>]*\bID=")\d+', rf"\g<1>{NAME}", text, count=1),
    "app_id_mismatch": lambda text: re.sub(r'(<Request [^>]*\bID=")\d+', rf"\g<1>{NUMBER}", text, count=1),
    "forbidden_doctype": lambda text: f'<!DOCTYPE {NAME} [<!ENTITY a "{NAME}">]>{text}',
    "malformed_xml": lambda text: text.replace("<CustData>", f"<CustData><{NAME}>&{NAME};</{NAME}x>"),
    "not_provenir": lambda text: f"<{NAME}>{NUMBER}</{NAME}>",
    "too_large": lambda text: text.replace(
        "<CustData>", "<CustData>" + f"<{NAME}>" * 400 + f"</{NAME}>" * 400
    ),
}


def within(text: str, attribute: str, value: str) -> str:
    """The first such attribute inside CustData with another value."""
    head, tag, tail = text.partition("<CustData>")
    changed, count = re.subn(f' {attribute}="[^"]*"', f' {attribute}="{value}"', tail, count=1)
    assert count == 1, attribute
    return head + tag + changed


def telling(text: str) -> str:
    text = re.sub(rf' {PERSONAL}="[^"]*"', rf' \1="{NAME}"', text)
    return re.sub(r' (\w*ssn)="\d{9}"', rf' \1="{NUMBER}"', text)


def telling_documents() -> dict[int, str]:
    """Forty that map, and one for every fault."""
    made = documents(40 + len(FAULTS) + len(OWN_FAULTS))
    texts = {d.app_id: telling(d.text) for d in made[:40]}
    for d, name in zip(made[40:], FAULTS, strict=False):
        texts[d.app_id] = telling(spoil(d, name).text)
    for d, fault in zip(made[40 + len(FAULTS) :], OWN_FAULTS.values(), strict=True):
        texts[d.app_id] = fault(telling(d.text))
    return texts
