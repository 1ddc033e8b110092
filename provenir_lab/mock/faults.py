"""Faulty documents: each fault, the category it must be rejected with, and how a good document gets it.

Every fault lies in or before the part that is mapped, so selective and full parsing reject alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to spoil a document. `category` is one of `errors.CATEGORIES`."""

    category: str
    spoil: Callable[[str, int], str]
    """(text of a good document, its app_id) -> text of the faulty one."""


def _unclosed(text: str, app_id: int) -> str:
    return _after_data(text, "</application>", "")


def _bare_ampersand(text: str, app_id: int) -> str:
    return _after_data(text, "<app_product ", '<app_product note="R & D" ')


def _truncated(text: str, app_id: int) -> str:
    start, end = text.index("<CustData>"), text.index("</CustData>")
    return text[: (start + end) // 2]


def _doctype(text: str, app_id: int) -> str:
    return text.replace("<Provenir", '<!DOCTYPE Provenir [<!ENTITY name "value">]>\n<Provenir', 1)


def _too_deep(text: str, app_id: int) -> str:
    return text.replace("<CustData>", "<CustData>" + "<nested>" * 400 + "</nested>" * 400, 1)


def _other_root(text: str, app_id: int) -> str:
    return text.replace("<Provenir", "<Envelope", 1).replace("</Provenir>", "</Envelope>")


def _without_id(text: str, app_id: int) -> str:
    return _request(text, f' ID="{app_id}"', "")


def _blank_id(text: str, app_id: int) -> str:
    return _request(text, f' ID="{app_id}"', ' ID=" "')


def _letters_in_id(text: str, app_id: int) -> str:
    return _request(text, f' ID="{app_id}"', f' ID="A{app_id}"')


def _zero_id(text: str, app_id: int) -> str:
    return _request(text, f' ID="{app_id}"', ' ID="0"')


def _other_id(text: str, app_id: int) -> str:
    return _request(text, f' ID="{app_id}"', f' ID="{app_id + 500_000_000}"')


def _letters_in_con_id(text: str, app_id: int) -> str:
    return _with(text, "contact", "con_id", "12A45")


def _wrong_product(text: str, app_id: int) -> str:
    text = _after_data(text, "<application ", "<IL_application ")
    return _after_data(text, "</application>", "</IL_application>")


def _fee_out_of_range(text: str, app_id: int) -> str:
    return _with(text, "rmts_info", "over_limit_fee", "256")


def _long_result(text: str, app_id: int) -> str:
    return _with(text, "app_product", "VeridQA_Result", "x" * 251)


def _unknown_campaign(text: str, app_id: int) -> str:
    return _with(text, "application", "campaign_num", "ZZZZZZ")


FAULTS = {
    "blank": Fault("malformed_xml", lambda text, app_id: " \n"),
    "not_xml": Fault("malformed_xml", lambda text, app_id: "503 Service Unavailable"),
    "unclosed": Fault("malformed_xml", _unclosed),
    "bare_ampersand": Fault("malformed_xml", _bare_ampersand),
    "truncated": Fault("malformed_xml", _truncated),
    "doctype": Fault("forbidden_doctype", _doctype),
    "too_deep": Fault("too_large", _too_deep),
    "other_root": Fault("not_provenir", _other_root),
    "without_id": Fault("missing_app_id", _without_id),
    "blank_id": Fault("missing_app_id", _blank_id),
    "letters_in_id": Fault("invalid_app_id", _letters_in_id),
    "zero_id": Fault("invalid_app_id", _zero_id),
    "other_id": Fault("app_id_mismatch", _other_id),
    "letters_in_con_id": Fault("invalid_con_id", _letters_in_con_id),
    "wrong_product": Fault("wrong_product_line", _wrong_product),
    "fee_out_of_range": Fault("value_out_of_range", _fee_out_of_range),
    "long_result": Fault("value_too_long", _long_result),
    "unknown_campaign": Fault("constraint_violation", _unknown_campaign),
}
"""Name -> fault. `unknown_campaign` maps well: only the database can see that the campaign does not exist."""


def _after_data(text: str, old: str, new: str) -> str:
    """Replaces the first `old` inside CustData."""
    start = text.index("<CustData>")
    return text[:start] + text[start:].replace(old, new, 1)


def _request(text: str, old: str, new: str) -> str:
    """Replaces `old` in the start tag of Request."""
    start = text.index("<Request ")
    return text[:start] + text[start:].replace(old, new, 1)


def _with(text: str, element: str, attribute: str, value: str) -> str:
    """Sets an attribute of the first such element inside CustData."""
    match = re.compile(f"<{element} [^>]*>").search(text, text.index("<CustData>"))
    if match is None:
        raise ValueError(f"no {element} in the document")
    tag = re.sub(f' {attribute}="[^"]*"', "", match[0])
    tag = tag.replace(f"<{element} ", f'<{element} {attribute}="{value}" ', 1)
    return text[: match.start()] + tag + text[match.end() :]
