"""Why one pair of tables is an edge or is not: the stages run on the two alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from r2d2.engines.local.lake import LocalLake
from r2d2.errors import UsageError
from r2d2.find import Stage, stages_of
from r2d2.graph import Block, Graph
from r2d2.hashing.rows import row_hashes
from r2d2.kernels.runs import merge, present_mask, sorted_unique
from r2d2.lake.grouping import layout
from r2d2.lake.inventory import Inventory, described, read_split
from r2d2.model import Evidence, Table, Verdict
from r2d2.progress import Silence
from r2d2.report.evidence import said
from r2d2.report.words import printable
from r2d2.settings.find import Settings
from r2d2.stages.projections import matched_columns
from r2d2.storage.local import Storage, storage_of


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each stage says of a pair, up to the one that decides; sample rows where asked for."""

    child: str
    parent: str
    evidence: tuple[Evidence, ...]
    samples: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return {
            "child": self.child,
            "parent": self.parent,
            "verdict": self.evidence[-1].verdict.value,
            "stage": self.evidence[-1].stage,
            "evidence": [[e.stage, e.verdict.value, e.reason] for e in self.evidence],
            "samples": list(self.samples),
        }

    def lines(self) -> Iterator[str]:
        """The explanation as lines of text."""
        last = self.evidence[-1]
        yield (
            f"{printable(self.child)} in {printable(self.parent)}:"
            f" {last.verdict.value} by {last.stage}"
        )
        for evidence in self.evidence:
            yield f"  {evidence.stage}: {evidence.verdict.value}: {printable(evidence.reason)}"
        for sample in self.samples:
            yield f"  not in the parent: {printable(sample)}"


def explain_pair(
    lake: str, child: str, parent: str, settings: Settings, samples: int
) -> Explanation:
    """What the settings' stages say of child in parent.

    Raises:
        UsageError: the lake has no table of that name.
        LakeError: the lake cannot be listed.
    """
    storage = storage_of(lake)
    pair = _tables(storage, settings, child, parent)
    for role, table in zip(("child", "parent"), pair, strict=True):
        if table.problem is not None:
            reason = f"the {role} is left out: {table.problem}"
            return Explanation(child, parent, (Evidence("tables", Verdict.REFUTED, reason),))
    with PairLake(storage, settings, pair) as two:
        evidence, matched = _decided(pair, stages_of(settings), two)
    shown: tuple[str, ...] = ()
    if samples and evidence[-1].stage in ("sketch", "exact", "sample", "metadata"):
        shown = tuple(_missing_rows(storage, settings, matched, samples))
    return Explanation(child, parent, evidence, shown)


class PairLake(LocalLake):
    """A lake of two tables that are known."""

    def __init__(self, storage: Storage, settings: Settings, pair: tuple[Table, Table]) -> None:
        super().__init__(storage, settings, Silence())
        self._tables = pair

    def inventory(self) -> Inventory:
        """The two tables."""
        return Inventory(tuple(self._tables), {})


def _tables(storage: Storage, settings: Settings, *locations: str) -> tuple[Table, Table]:
    listing = storage.list()
    groups = {group.location or ".": group for group in layout(listing).groups}
    files = {file.path: file for file in listing.files}
    for location in locations:
        if location not in groups:
            raise UsageError(
                f"{storage.url} has no table {location!r}; `r2d2 tables` lists what it has"
            )
    asked = [groups[location] for location in locations]
    child, parent = described(storage, settings, asked, files)
    return child, parent


def _decided(
    pair: tuple[Table, Table], stages: Sequence[Stage], lake: PairLake
) -> tuple[tuple[Evidence, ...], Sequence[Table]]:
    """What each stage says until one decides, and the two tables as it matched their columns."""
    graph = Graph(pair)
    evidence: list[Evidence] = []
    for stage in stages:
        graph = stage(replace(graph, reasons={}), lake)
        graph = replace(graph, blocks=tuple(filter(None, map(_child_in_parent, graph.blocks))))
        evidence.append(said(stage.name, graph))
        if evidence[-1].verdict is not Verdict.PLAUSIBLE:
            break
    return tuple(evidence), graph.tables


def _child_in_parent(block: Block) -> Block | None:
    """The block with the one pair asked about: table 0 in table 1."""
    masks = [
        mask & (block.children[rows, None] == 0) & (block.parents == 1)
        for rows, mask in block.chunks()
    ]
    narrowed = block.narrowed(masks)
    return narrowed if len(narrowed.children) else None


def _missing_rows(
    storage: Storage, settings: Settings, pair: Sequence[Table], samples: int
) -> Iterator[str]:
    """Up to `samples` distinct child rows, as text, that the parent lacks."""
    child, parent = pair
    own, others = matched_columns(child, parent, settings.case_sensitive)
    held = merge(
        [
            sorted_unique(row_hashes(batch, [others], settings.types)[0])
            for split in parent.splits
            for batch in read_split(storage, split, {column.path[0] for column in others})
        ]
    )
    seen: set[str] = set()
    for split in child.splits:
        for batch in read_split(storage, split, {column.path[0] for column in own}):
            (hashes,) = row_hashes(batch, [own], settings.types)
            for row in np.flatnonzero(~present_mask(hashes, held)).tolist():
                seen.add(str(batch.slice(row, 1).to_pylist()[0]))
                if len(seen) == samples:
                    yield from sorted(seen)
                    return
    yield from sorted(seen)
