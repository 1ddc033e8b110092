"""The mapping semantics written plainly from their text: slow, obvious, and the oracle of the fast mapper.

It shares the contract's model, the errors and the tables with the fast mapper, and no code that maps. Where
the text leaves a question open, these answers hold (both mappers give them):

- A contact or an address that a rule demands an attribute of must have it not empty; allowed values of
  addresses and employments are compared in upper case.
- A field that several mappings fill: a later value replaces an earlier one, a default never does.
- Only a calculated "" and a bit flag count as data without being any.
- Limits are checked on rows that are emitted, not on those that the skip rules drop.
- Warranties and collaterals: texts are trimmed and not cut; other types are converted like any column.
- An expression reads years 1 to 9999; a column's own range of years is applied when it takes the value.
"""

from provenir_lab.mapping.reference.mapper import ReferenceMapper

__all__ = ["ReferenceMapper"]
