"""What r2d2 says of a lake, in the oracle's words. The only module here that imports r2d2."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import r2d2
from tests.support.oracle.brute_force import Pair


@dataclass(frozen=True, slots=True)
class Answer:
    """The edges with fraction and missing rows, degenerate and equal pairs, and what is wrong."""

    edges: Mapping[Pair, tuple[float, int]]
    degenerate: frozenset[Pair]
    equal: frozenset[Pair]
    cast: frozenset[Pair]
    columns: Mapping[str, Mapping[str, str]]
    problems: Mapping[str, str]
    unreadable: frozenset[str]

    def among(self, *tables: str) -> set[Pair]:
        """The edges between these tables."""
        return {pair for pair in self.edges if set(pair) <= set(tables)}


def find(lake: Path, engine: str = "local", **settings: Any) -> r2d2.Graph:
    """r2d2's public call, with the session at hand where the engine needs one."""
    if engine == "spark":
        from pyspark.sql import SparkSession

        settings["session"] = SparkSession.builder.getOrCreate()
    return r2d2.find(lake, engine=engine, **settings)


def ask(lake: Path, engine: str = "local", **settings: Any) -> Answer:
    """What r2d2's graph says, in short."""
    graph = find(lake, engine, **settings)
    return Answer(
        {(e.child, e.parent): (e.fraction, e.missing_rows) for e in graph.edges},
        frozenset((e.child, e.parent) for e in graph.degenerate),
        frozenset((e.child, e.parent) for e in graph.edges if e.equal),
        frozenset((e.child, e.parent) for e in graph.edges if e.equal_after_cast),
        {t.location: {c.name: c.type for c in t.columns} for t in graph.tables},
        {t.location: t.problem for t in graph.tables if t.problem is not None},
        frozenset(t.location for t in graph.tables if t.unreadable),
    )
