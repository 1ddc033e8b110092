"""Values that a role chooses: of the last valid contact of a type, its address or its card."""

from __future__ import annotations

from collections.abc import Callable

from provenir_lab.mapping.attributes import Read
from provenir_lab.mapping.contacts import BCARD, Contact, ContactPlan, last_card
from provenir_lab.mapping.contract import Contract, Field
from provenir_lab.mapping.groups import meaningful
from provenir_lab.mapping.source import Bundle, MakeReader, Source

_ROLES = {"last_valid_pr_contact": 0, "last_valid_sec_contact": 1, "authu_contact": 1}
"""Mapping type -> which of the contract's contact types it means."""


class RoleSources:
    """Writes the lines that find each role's contact and read its attributes, once a document."""

    def __init__(
        self, contract: Contract, contacts: ContactPlan, source: Source, make_reader: MakeReader
    ) -> None:
        self._contract = contract
        self._contacts = contacts
        self._source = source
        self._make_reader = make_reader
        self._used: dict[str, str] = {}
        self._own: dict[str, Bundle] = {}
        self._card: dict[str, Bundle] = {}

    def expression(self, field: Field) -> str | None:
        """The field's source value; None if the field asks for no role."""
        types = (step.name for step in field.types)
        kind = next((name for name in types if name in _ROLES), None)
        if kind is None:
            return None
        chosen = self._used.setdefault(kind, f"role_{kind}")
        history = kind == "last_valid_pr_contact" and self._contract.kinds[field.table] == "add_history"
        primary_or_secondary = kind != "authu_contact"
        address = self._contacts.address_rule.element
        if primary_or_secondary and (address in field.path or self._contract.kinds[field.table] == "address"):
            return self._address_value(chosen, field, history)
        if BCARD in field.path and kind != "last_valid_sec_contact":
            if kind not in self._card:
                self._card[kind] = Bundle(self._source, f"{chosen}_card", self._make_reader)
            value = self._card[kind].variable(field.attribute)
            no_card = f"{chosen}_no_card"
        else:
            if kind not in self._own:
                self._own[kind] = Bundle(self._source, f"{chosen}_node", self._make_reader)
            value = self._own[kind].variable(field.attribute)
            no_card = "True"
        if not history:
            return value
        latest = self._source.bind("latest", _latest(self._make_reader((field.attribute,))))
        return f"{latest}({value}, {chosen}_all) if {no_card} else {value}"

    def lines(self) -> list[str]:
        """Lines that fill the variables which the expressions name."""
        lines: list[str] = []
        card_of = self._source.bind("last_card", last_card)
        for kind, chosen in self._used.items():
            roles = self._contacts.roles
            role = roles[_ROLES[kind]] if _ROLES[kind] < len(roles) else None
            found = f"contacts.candidates({role!r}, needs_id={kind != 'authu_contact'})" if role else "[]"
            lines += [
                f"    {chosen}_all = {found}",
                f"    {chosen} = {chosen}_all[-1] if {chosen}_all else None",
                f"    {chosen}_node = {chosen}.node if {chosen} is not None else None",
            ]
            if kind in self._own:
                lines += self._own[kind].lines()
            if kind in self._card:
                lines += [
                    f"    {chosen}_card = {card_of}({chosen}) if {chosen} is not None else None",
                    f"    {chosen}_no_card = {chosen}_card is None",
                    f"    if {chosen}_no_card: {chosen}_card = {chosen}_node",
                    *self._card[kind].lines(),
                ]
        return lines

    def _address_value(self, chosen: str, field: Field, history: bool) -> str:
        value = self._contacts.address_value(field.attribute)
        bound, arguments = self._source.bind("address", value), chosen
        if history:
            latest = _latest(self._make_reader((field.attribute,)))
            bound = self._source.bind("address", _with_latest(value, latest))
            arguments = f"{chosen}, {chosen}_all"
        return f"{bound}({arguments}) if {chosen} is not None else None"


def _latest(read: Read) -> Callable[[str | None, list[Contact]], str | None]:
    """Where the choice says nothing: the last candidate's value that does."""

    def latest(value: str | None, candidates: list[Contact]) -> str | None:
        if len(candidates) < 2 or meaningful(value) is not None:
            return value
        for contact in reversed(candidates):
            if contact.id_text:
                found = read(contact.node)[0]
                if meaningful(found) is not None:
                    return found
        return value

    return latest


def _with_latest(
    value: Callable[[Contact], str | None], latest: Callable[[str | None, list[Contact]], str | None]
) -> Callable[[Contact, list[Contact]], str | None]:
    def both(contact: Contact, candidates: list[Contact]) -> str | None:
        found = value(contact)
        return found if contact.addresses else latest(found, candidates)

    return both
