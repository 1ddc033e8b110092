"""Which contacts, addresses and employments count, and whom a role chooses (2.4 to 2.7, C11, C14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract, Field, FilterRule
from provenir_lab.mapping.reference.document import Document, Node
from provenir_lab.mapping.reference.values import is_blank, is_meaningful

IDENTITY = ("birth_date", "first_name", "last_name", "ssn")
CARD = "app_prod_bcard"


@dataclass(frozen=True, eq=False)
class Contact:
    """A valid contact: the element chosen for its con_id."""

    con_id: int
    role: str
    position: int
    """Of its element among the contact elements of the document."""
    element: Node


class Contacts:
    """The contacts of one document. Raises Rejected (`invalid_con_id`)."""

    def __init__(self, document: Document, contract: Contract) -> None:
        contact, address = contract.rule("contact"), contract.rule("address")
        assert contact is not None and address is not None
        self.contract = contract
        self.contact_rule, self.address_rule = contact, address
        self.roles = contact.type_values
        self.elements = [
            element
            for element in document.elements(contact.element)
            if contact.type_attribute in element.attributes
        ]
        """Every contact element that has the type attribute, in document order."""
        self.valid = self._valid()
        """In the order of their rows."""

    def con_id_text(self, element: Node) -> str:
        return element.attributes.get(self.contract.contact_id_attribute, "").strip()

    def _type(self, element: Node) -> str:
        return element.attributes[self.contact_rule.type_attribute]

    def _valid(self) -> list[Contact]:
        chosen: dict[int, Contact] = {}
        for position, element in enumerate(self.elements):
            role, con_id = self._type(element).strip(), self.con_id_text(element)
            if role not in self.roles or not con_id:
                continue
            if re.fullmatch("[0-9]{1,9}", con_id) is None:
                raise Rejected("invalid_con_id", f"{element.name}/@{self.contract.contact_id_attribute}")
            if all(is_blank(element.attributes.get(name)) for name in IDENTITY):
                continue
            found = Contact(int(con_id), role, position, element)
            rival = chosen.get(found.con_id)
            if rival is None or self.roles.index(role) <= self.roles.index(rival.role):
                chosen[found.con_id] = found
        return list(chosen.values())

    @property
    def primary(self) -> Contact | None:
        """5.1: the first of the first role, else the first."""
        first = [contact for contact in self.valid if contact.role == self.roles[0]]
        return next(iter(first or self.valid), None)

    # ---- addresses and employments

    def children(self, contact: Contact, rule: FilterRule | None) -> list[Node]:
        """The addresses or employments of a contact that count, in document order."""
        if rule is None or contact.element.path != self.contact_rule.path:
            return []
        for name, allowed in self.contact_rule.required.items():
            if allowed is True and is_blank(contact.element.attributes.get(name)):
                return []
        return [
            child for child in contact.element.children if child.name == rule.element and _passes(child, rule)
        ]

    def current_address(self, contact: Contact) -> Node | None:
        """2.6: the last child address of exactly the preferred type."""
        rule = self.address_rule
        children = [child for child in contact.element.children if child.name == rule.element]
        current = [child for child in children if self._is_preferred(child)]
        return current[-1] if current else None

    # ---- roles

    def candidates(self, role_index: int, *, needs_id: bool) -> list[Node]:
        """Whom a role may choose from, in document order: valid contacts, else 2.5's looser rules."""
        if role_index >= len(self.roles):
            return []
        role = self.roles[role_index]
        valid = sorted((c for c in self.valid if c.role == role), key=lambda c: c.position)
        if valid:
            return [contact.element for contact in valid]
        loose = [element for element in self.elements if self._type(element) == role]
        return [element for element in loose if self.con_id_text(element) or not needs_id]

    def last_valid(
        self, field: Field, role_index: int, *, from_address_table: bool, history: bool
    ) -> str | None:
        """2.5, `last_valid_pr_contact` (role 0) and `last_valid_sec_contact` (role 1)."""
        candidates = self.candidates(role_index, needs_id=True)
        if not candidates:
            return None
        chosen = candidates[-1]
        if from_address_table or self.address_rule.element in field.path:
            addresses = self._addresses_below(chosen)
            if addresses:
                values = [address.attributes.get(field.attribute) for address in addresses]
                return next((value for value in values if value), values[-1])
        if role_index == 0 and CARD in field.path:
            cards = [node for node in chosen.descendants() if node.name == CARD]
            if cards:
                return cards[-1].attributes.get(field.attribute)
        value = chosen.attributes.get(field.attribute)
        if role_index == 0 and history and not is_meaningful(value):
            values = [element.attributes.get(field.attribute) for element in reversed(candidates)]
            return next((v for v in values if is_meaningful(v)), value)
        return value

    def _addresses_below(self, element: Node) -> list[Node]:
        rule = self.address_rule
        every = [node for node in element.descendants() if node.name == rule.element]
        return [address for address in every if self._is_preferred(address)] or every

    def _is_preferred(self, address: Node) -> bool:
        """Of exactly the first type that the address rule lists."""
        rule = self.address_rule
        return address.attributes.get(rule.type_attribute) in rule.type_values[:1]

    def authorised_user(self, field: Field) -> str | None:
        """2.5, `authu_contact`."""
        candidates = self.candidates(1, needs_id=False)
        if not candidates:
            return None
        cards = [node for node in candidates[-1].descendants() if node.name == CARD]
        source = cards[-1] if cards and CARD in field.path else candidates[-1]
        return source.attributes.get(field.attribute)


def _passes(element: Node, rule: FilterRule) -> bool:
    for name, allowed in rule.required.items():
        value = element.attributes.get(name, "")
        if not value:
            return False
        if not isinstance(allowed, bool) and value.upper() not in [text.upper() for text in allowed]:
            return False
    return True
