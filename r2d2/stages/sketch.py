"""Sketch: a child hash below the parent's threshold that the parent lacks refutes. One scan.

The parent's sketch holds every one of its hashes up to its threshold, so nothing true is refuted.
Pairs are never looped over: a child's rarest hash names the few tables that may hold it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, UInt64s
from r2d2.graph import Block, Graph
from r2d2.hashing.runs import BottomKSketch, count_missing_each, judged_by
from r2d2.lake.questions import Lake
from r2d2.stages.schema import projections


@dataclass(frozen=True, slots=True)
class Sketch:
    """Refutes by the `size` smallest row hashes of each table."""

    size: int = 1024
    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "sketch"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph without the pairs that sketches refute."""
        wanted = projections(graph, self.case_sensitive)
        children = {(child, b.number) for b in graph.blocks for child in b.children.tolist()}
        answer = lake.sketches(wanted, self.size, children)
        blocks, refuted = [], 0
        for block in graph.blocks:
            block = block.without(answer.failed)
            sketches = {
                table: answer.found[table, block.number]
                for table in {*block.children.tolist(), *block.parents.tolist()}
            }
            candidates = _candidates(block, sketches) if self.min_fraction == 1 else None
            masks = []
            for rows, mask in block.chunks():
                if candidates is not None:
                    mask &= candidates[rows]
                self._judge(graph, block, rows, mask, sketches)
                masks.append(mask)
            left = block.narrowed(masks)
            refuted += block.count() - left.count()
            if len(left.children):
                blocks.append(left)
        reasons = {"a child row is missing": refuted}
        return replace(graph.after(answer), blocks=tuple(blocks), reasons=reasons)

    def _judge(
        self,
        graph: Graph,
        block: Block,
        rows: slice,
        mask: Bools,
        sketches: Mapping[int, BottomKSketch],
    ) -> None:
        """Clears the pairs whose sketches show too many rows missing."""
        children, parents = block.children[rows].tolist(), block.parents.tolist()
        open_pairs = list(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))
        both = ((sketches[children[row]], sketches[parents[place]]) for row, place in open_pairs)
        lookups = [(judged_by(child, parent), parent.run) for child, parent in both]
        for (row, place), missing in zip(open_pairs, count_missing_each(lookups), strict=True):
            child = children[row]
            if missing and self._too_many(missing, sketches[child], graph.tables[child].rows):
                mask[row, place] = False

    def _too_many(self, missing: int, child: BottomKSketch, rows: int | None) -> bool:
        """Whether the fraction must fall short, as distinct child rows are at most `rows`."""
        most = len(child.run) if child.complete else rows
        return self.min_fraction == 1 or (
            most is not None and (most - missing) / most < self.min_fraction
        )


def _candidates(block: Block, sketches: Mapping[int, BottomKSketch]) -> Bools:
    """Pairs whose parent may hold the child's rarest hash, and for a parent with an incomplete
    sketch, also the child's smallest.
    """
    found = np.zeros((len(block.children), len(block.parents)), np.bool_)
    parents = [sketches[index] for index in block.parents.tolist()]
    children = [sketches[index].run.first for index in block.children.tolist()]
    complete = np.array([place for place, s in enumerate(parents) if s.complete], np.int64)
    if len(complete):
        _mark_holders(found, children, [parents[p].run.first for p in complete], complete)
    smallest = np.array([run[0] if len(run) else 0 for run in children], np.uint64)
    for place, parent in enumerate(parents):
        if not parent.complete:
            held = parent.run.first
            found[:, place] = (smallest > held[-1]) | _is_among(smallest, held)
    return found


def _mark_holders(
    found: Bools, children: list[UInt64s], parents: list[UInt64s], places: npt.NDArray[np.int64]
) -> None:
    """Marks, for each child, the parents that hold its rarest hash."""
    hashes = np.concatenate(parents)
    owners = np.repeat(places, [len(run) for run in parents])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    sought = np.concatenate(children)
    left = np.searchsorted(hashes, sought, side="left")
    holders = np.searchsorted(hashes, sought, side="right") - left
    start = 0
    for row, run in enumerate(children):
        stop = start + len(run)
        if len(run):
            rarest = start + int(holders[start:stop].argmin())
            found[row, owners[left[rarest] : left[rarest] + holders[rarest]]] = True
        else:
            found[row, places] = True
        start = stop


def _is_among(values: UInt64s, held: UInt64s) -> Bools:
    places = np.minimum(np.searchsorted(held, values), len(held) - 1)
    found: Bools = held[places] == values
    return found
