"""The mapping semantics written plainly from their text: slow, obvious, and the oracle of the fast mapper.

It shares the contract's model, the errors and the tables with the fast mapper, and no code that maps. Where
the text leaves a question open, these answers hold (both mappers give them):

- Required attributes of addresses and employments are not empty, allowed values compare in upper case; those
  of contacts are not blank.
- A column that several entries fill: a later value replaces an earlier one, a default never does.
- Only a calculated "" and a bit flag count as data without being any.
- Limits apply to the values of rows that are emitted; a value between two steps of a chain may exceed them.
- A decimal of unknown precision has at most 101 digits before the point.
- `numbers_only` on anything but numbers keeps the digits, which are then converted.
- Warranties and collaterals: texts are trimmed and not cut, other types are converted like any column; what
  cannot be read is NULL but says that the group is there.
- `curr_address_only` re-extracts in contact rows alone.
- Attributes lose their prefix; of two with one local name the first counts. Of two that differ in case only,
  `tag.name` in an expression is the later one.
- Expressions read years 1 to 9999; a column's own years apply when it takes the value. `0 ** 0` is 1.
- Codes that no enum knows are counted for documents that are mapped.
"""

from provenir_lab.mapping.reference.mapper import ReferenceMapper

__all__ = ["ReferenceMapper"]
