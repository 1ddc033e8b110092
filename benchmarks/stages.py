"""Parsing and mapping, without a database: CPU time a document on each document profile."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

from lxml import etree

from benchmarks.race import Arm, Seconds, race
from provenir_lab.mapping import convert
from provenir_lab.mapping.ablation import ABLATIONS, ablated_mapper
from provenir_lab.mapping.document import Document
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mapping.reference import ReferenceMapper
from provenir_lab.mock import generate
from provenir_lab.processing.preparation import PARSED_AT_ONCE
from provenir_lab.tables import packaged_tables

PARSE_FULL, PARSE_SELECTIVE = "parse, full", "parse, selective"
BARE_WHOLE, BARE_SLICE = "lxml alone, whole document", "lxml alone, the same slice"
MAP = "map"
TIMERS = "stage timers"
ROWS, ROWS_FULL, REFERENCE = "document -> rows", "document -> rows, full", "reference mapper"
_WARM_UP = 300
"""Documents that are mapped before each arm."""
_TIMED = 100
"""How often the timers of the documents run: once is too short to be measured."""
_OTHER_IDS = 1_000_000


def without(name: str) -> str:
    """Name of the arm of an ablation."""
    return f"{MAP} without {name}"


@dataclass
class _Round:
    """The documents of the present round, which all arms share."""

    profile: str
    count: int
    mapper: Mapper
    texts: list[str] = field(default_factory=list)
    parsed: list[Document] = field(default_factory=list)
    others: list[Document] = field(default_factory=list)
    """For warming up."""

    def __post_init__(self) -> None:
        made = generate(min(_WARM_UP, 3 * self.count), profile="compact", start_app_id=_OTHER_IDS)
        self.others = [self.mapper.parse(document.text) for document in made]

    def prepare(self, number: int) -> None:
        """Documents that no arm has seen."""
        made = generate(self.count, profile=self.profile, start_app_id=1 + number * self.count)
        self.texts = [document.text for document in made]
        self.parsed = [self.mapper.parse(text) for text in self.texts]

    def warm_up(self) -> None:
        """Brings the values that conversions remember to what they are when new documents come along: the
        round's own are forgotten, lest all arms but the first know them."""
        for remembered in (convert.parse_number, convert.find_number, convert.parse_datetime):
            remembered.cache_clear()
        for document in self.others:
            self.mapper.rows(document)


def measure_stages(profile: str, count: int, rounds: int) -> Seconds:
    """CPU seconds a document of every arm; each round has `count` documents of its own."""
    contract, tables = load_contract(None), packaged_tables()
    selective = compile_mapper(contract, tables)
    full = compile_mapper(contract, tables, parse_mode="full")
    reference = ReferenceMapper(contract, tables)
    current = _Round(profile, count, selective)
    parser = etree.XMLParser(resolve_entities=False, no_network=True)

    def parse(mapper: Mapper) -> int:
        for text in current.texts:
            mapper.parse(text)
        return count

    def parse_slices() -> int:
        for document in current.parsed:
            etree.fromstring(document.data, parser)
        return count

    def rows(mapper: Mapper) -> int:
        for document in current.parsed:
            mapper.rows(document)
        return count

    def whole_way(mapper: Mapper | ReferenceMapper) -> int:
        for text in current.texts:
            mapper.map(text)
        return count

    arms: dict[str, Arm] = {
        PARSE_FULL: partial(parse, full),
        PARSE_SELECTIVE: partial(parse, selective),
        BARE_WHOLE: lambda: parse_whole(current.texts),
        BARE_SLICE: parse_slices,
        MAP: partial(rows, selective),
        ROWS: partial(whole_way, selective),
        ROWS_FULL: partial(whole_way, full),
        REFERENCE: partial(whole_way, reference),
        TIMERS: lambda: time_stages(count),
    }
    for name in ABLATIONS:
        arms[without(name)] = partial(rows, ablated_mapper(contract, tables, name))
    return race(arms, rounds, current.prepare, current.warm_up)


def parse_whole(texts: list[str]) -> int:
    """Parses whole documents with lxml and nothing else; returns how many."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True)
    for text in texts:
        etree.fromstring(text.removeprefix("\ufeff").encode(), parser)
    return len(texts)


def time_stages(count: int) -> int:
    """What a run does to time the stages of `count` documents, without the stages: `Preparation.batch` reads
    the clock four times for every few documents. Does it over and over; returns for how many documents.
    """
    clock, seconds = time.perf_counter, {"parse": 0.0, "map": 0.0}
    for _ in range(_TIMED):
        for _ in range(0, count, PARSED_AT_ONCE):
            begun = clock()
            seconds["parse"] += clock() - begun
            begun = clock()
            seconds["map"] += clock() - begun
    return count * _TIMED
