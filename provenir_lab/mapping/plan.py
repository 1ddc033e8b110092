"""Contract to compiled plan; document in, rows or a rejection out.

The contract is turned once into the source of one Python function that knows every attribute, column, code
and rule by name: `mapper.source` shows it. Nothing of the contract is looked at again per document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from provenir_lab.errors import Rejected
from provenir_lab.mapping.attributes import attribute_reader
from provenir_lab.mapping.chains import plan_column
from provenir_lab.mapping.compiler import Rows, RowsCompiler
from provenir_lab.mapping.contacts import ContactPlan
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.document import Document, DocumentReader, app_id_of
from provenir_lab.mapping.row_lines import MakeColumn
from provenir_lab.mapping.source import MakeReader
from provenir_lab.tables import Tables


class Mapper:
    """A compiled contract. Threads may share it for parsing; `rows` counts, so it is for one at a time."""

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        *,
        parse_mode: str = "selective",
        max_document_mb: int = 16,
        make_reader: MakeReader = attribute_reader,
        make_column: MakeColumn = plan_column,
    ) -> None:
        self.contract = contract
        self.columns: dict[str, tuple[str, ...]] = {t: contract.columns_of(t) for t in contract.tables}
        self.unknown_codes: Counter[tuple[str, str]] = Counter()
        """(table, column) -> codes of mapped documents that no enum knows and its catch-all took."""
        self._unknown: Counter[tuple[str, str]] = Counter()
        self.parse: Callable[[str | None], Document] = DocumentReader(
            contract.reading_root, parse_mode=parse_mode, max_document_mb=max_document_mb
        )
        self._id_path, self._id_attribute = contract.app_id_place
        self._application = contract.application_element
        self._contacts = ContactPlan(contract, make_reader)
        compiler = RowsCompiler(contract, tables, self._contacts, self._unknown, make_reader, make_column)
        self._rows: Callable[..., Rows] = compiler.function()
        self.source = "\n".join(compiler.source.lines)
        """The body of the compiled function, for the curious."""

    def rows(self, document: Document, app_id: int | None = None) -> Rows:
        """The rows of a parsed document; `app_id`: the id it is stored under, which it must carry itself.

        Raises Rejected: `missing_app_id`, `invalid_app_id`, `app_id_mismatch`, `wrong_product_line`,
        `invalid_con_id`, `missing_required`, `value_out_of_range`, `value_too_long`, `not_representable`.
        """
        own_id = self._own_id(document)
        if app_id is not None and own_id != app_id:
            raise Rejected("app_id_mismatch", f"{self._id_attribute} differs from the id it is stored under")
        root = document.root
        if root is None:
            raise self._wrong_line()
        if self.contract.checks_product_line and not root.named(self._application):
            raise self._wrong_line()
        contacts = self._contacts.find(root)
        try:
            found = self._rows(document, contacts, own_id)
            if self._unknown:
                self.unknown_codes.update(self._unknown)
            return found
        finally:
            self._unknown.clear()

    def map(self, text: str | None, app_id: int | None = None) -> Rows:
        """The rows of a document's text. Raises Rejected as `parse` and `rows` do."""
        return self.rows(self.parse(text), app_id)

    def _own_id(self, document: Document) -> int:
        depth = len(self._id_path)
        if len(document.ancestors) < depth:
            raise Rejected("missing_app_id", f"no element /{'/'.join(self._id_path)}")
        return app_id_of(document.ancestors[depth - 1], self._id_path, self._id_attribute)

    def _wrong_line(self) -> Rejected:
        return Rejected("wrong_product_line", f"no element /{'/'.join(self.contract.application_path)}")


def compile_mapper(
    contract: Contract, tables: Tables, *, parse_mode: str = "selective", max_document_mb: int = 16
) -> Mapper:
    """A contract's fast mapper. `tables` gives the limits of the columns; unknown ones have none."""
    return Mapper(contract, tables, parse_mode=parse_mode, max_document_mb=max_document_mb)
