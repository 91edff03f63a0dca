"""Who runs against whom: r2d2's engines, and the ways of duckdb_peer.py."""

import csv
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WAYS = ("one_query", "one_scan", "gated", "pairwise")
ALWAYS = WAYS[:2]
SOME_UNREADABLE = 4


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that finds edges: its command for a lake and a folder, and where they are then."""

    name: str
    command: Callable[[Path, Path], Sequence[str]]
    edges_file: str
    fine: tuple[int, ...] = (0,)

    @property
    def is_rival(self) -> bool:
        """Whether r2d2 is measured against it."""
        return self.name in ALWAYS

    def edges(self, folder: Path) -> frozenset[tuple[str, str]]:
        """The (child, parent) pairs that its last run left in the folder."""
        with (folder / self.edges_file).open(newline="") as file:
            return frozenset((row["child"], row["parent"]) for row in csv.DictReader(file))


def r2d2(engine: str, options: Sequence[str] = ()) -> Contender:
    """r2d2's command line on an engine."""
    return Contender(
        f"r2d2 {engine}",
        lambda lake, folder: (
            sys.executable, "-m", "r2d2", "find", str(lake), "--out", str(folder),
            "--engine", engine, *options,
        ),
        "edges.csv",
        (0, SOME_UNREADABLE),
    )  # fmt: skip


def peer(script: Path, way: str) -> Contender:
    """One way of duckdb_peer.py, with as many threads as this machine has cores."""
    threads = str(os.cpu_count() or 1)
    return Contender(
        way,
        lambda lake, folder: (
            sys.executable, str(script), str(lake), "--way", way, "--threads", threads,
            "--out", str(folder / "edges.csv"),
        ),
        "edges.csv",
    )  # fmt: skip


def unavailable(engine: str) -> str | None:
    """Why an engine cannot run here; None if it can. Imports nothing, see `measure.Cost`."""
    if not importlib.util.find_spec("r2d2"):
        return "r2d2 is not installed, and this is not its repository's folder"
    if engine == "spark" and not importlib.util.find_spec("pyspark"):
        return "pyspark is not installed"
    return None
