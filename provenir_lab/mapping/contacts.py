"""Contacts, their addresses and employments: which count, and which one a role chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract, FilterRule
from provenir_lab.mapping.nodes import Node, all_at, descendants
from provenir_lab.mapping.source import MakeReader

BCARD = "app_prod_bcard"
_IDENTITY = ("birth_date", "first_name", "last_name", "ssn")
"""A contact with all of these blank is no contact."""


@dataclass(slots=True)
class Contact:
    """One contact element with a role."""

    node: Node
    position: int
    """Place in document order."""
    role: str
    """The type attribute as it stands."""
    id_text: str
    """The id attribute, trimmed; "" if blank."""
    id: int = 0
    addresses: list[Node] | None = None
    """For a role's choice: those that may give a value, once they were looked for."""


class Contacts:
    """The contacts of one document: `valid` in order of their rows, `all` in document order."""

    __slots__ = ("_plan", "all", "valid")

    def __init__(self, plan: ContactPlan, valid: list[Contact], found: list[Contact]) -> None:
        self._plan = plan
        self.valid = valid
        self.all = found

    def candidates(self, role: str, *, needs_id: bool = True) -> list[Contact]:
        """The contacts that a role may choose from, in document order; the last is its choice.

        Valid ones if there are any, else every contact element whose type is exactly the role.
        """
        valid = [c for c in self.valid if c.role.strip() == role]
        if valid:
            return sorted(valid, key=lambda c: c.position) if len(valid) > 1 else valid
        return [c for c in self.all if c.role == role and (c.id_text or not needs_id)]

    @property
    def primary(self) -> Contact | None:
        """The first valid contact of the most important role, else the first valid one."""
        first = self._plan.roles[0]
        return next((c for c in self.valid if c.role.strip() == first), self.valid[0] if self.valid else None)


class ContactPlan:
    """What the contract says about contacts, ready to be applied to documents."""

    def __init__(self, contract: Contract, make_reader: MakeReader) -> None:
        contact, address = contract.rule("contact"), contract.rule("address")
        assert contact is not None and address is not None  # a contract without them does not load
        self.rule = contact
        self.roles = contact.type_values
        self.address_rule = address
        self._tag = contact.element
        self._place = f"{contact.element}/@{contract.contact_id_attribute}"
        self._below = contact.path[len(contract.reading_root) :]
        others = [n for n, a in contact.required.items() if a is True and n != contract.contact_id_attribute]
        self._others = len(others)
        names = (contact.type_attribute, contract.contact_id_attribute, *_IDENTITY, *others)
        self._make_reader = make_reader
        self._read = make_reader(names)
        self._address_tag = address.element
        self._address_type = make_reader((address.type_attribute,))
        self._preferred = address.type_values[0] if address.type_values else ""

    def find(self, root: Node) -> Contacts:
        """The contacts inside the reading root.

        Raises Rejected `invalid_con_id` if one with a role has an id that is not 1 to 9 digits.
        """
        found: list[Contact] = []
        chosen: dict[int, Contact] = {}
        for position, node in enumerate(descendants(root)):
            if node.tag != self._tag:
                continue
            role, id_text, *identity = self._read(node)
            if role is None:
                continue
            contact = Contact(node, position, role, (id_text or "").strip())
            found.append(contact)
            self._consider(contact, identity[: len(_IDENTITY)], chosen)
        return Contacts(self, list(chosen.values()), found)

    def _consider(self, contact: Contact, identity: list[str | None], chosen: dict[int, Contact]) -> None:
        role, text = contact.role.strip(), contact.id_text
        if not text or role not in self.roles:
            return
        if not (len(text) <= 9 and text.isascii() and text.isdigit()):
            raise Rejected("invalid_con_id", f"{self._place} is not a whole number of 1 to 9 digits")
        if not any(value and not value.isspace() for value in identity):
            return
        contact.id = int(text)
        rival = chosen.get(contact.id)
        if rival is None or self.roles.index(role) <= self.roles.index(rival.role.strip()):
            chosen[contact.id] = contact  # keeps the place of the id's first appearance

    def has_children(self, contact: Contact, root: Node) -> bool:
        """Whether a contact's addresses and employments count: it stands at the rule's path."""
        if self._others and any(not v or v.isspace() for v in self._read(contact.node)[-self._others :]):
            return False
        return any(contact.node is found for found in all_at(root, self._below))

    def own_address(self, contact: Contact) -> Node | None:
        """The last child address of exactly the preferred type."""
        for address in reversed(contact.node.named(self._address_tag)):
            if self._address_type(address)[0] == self._preferred:
                return address
        return None

    def address_value(self, attribute: str) -> Callable[[Contact], str | None]:
        """Contact -> the attribute of its addresses: of the preferred type if it has any, the first that is
        not empty, else the last; without any address the contact's own."""
        read = self._make_reader((attribute,))

        def value(contact: Contact) -> str | None:
            if contact.addresses is None:
                every = [n for n in descendants(contact.node) if n.tag == self._address_tag]
                preferred = [a for a in every if self._address_type(a)[0] == self._preferred]
                contact.addresses = preferred or every
            found: str | None = None
            for address in contact.addresses:
                found = read(address)[0]
                if found:
                    return found
            return found if contact.addresses else read(contact.node)[0]

        return value


def last_card(contact: Contact) -> Node | None:
    """The contact's last card, at any depth."""
    card = None
    for node in descendants(contact.node):
        if node.tag == BCARD:
            card = node
    return card


def child_filter(rule: FilterRule, make_reader: MakeReader) -> Callable[[Node], bool]:
    """Whether an address or employment counts: required attributes not empty, types among the allowed
    (compared in upper case)."""
    read = make_reader(tuple(rule.required))
    allowed = [
        None if a is True else frozenset(a if isinstance(a, tuple) else ()) for a in rule.required.values()
    ]

    def passes(node: Node) -> bool:
        for value, values in zip(read(node), allowed, strict=True):
            if not value or (values is not None and value.upper() not in values):
                return False
        return True

    return passes
