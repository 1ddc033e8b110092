"""Mapping contracts and table definitions that ship with the package."""
