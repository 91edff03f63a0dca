"""Sample: the published baseline. A sampled child row that the parent lacks refutes.

Shah et al., "R2D2: Reducing Redundancy and Duplication in Data Lakes", SIGMOD 2024, prune so. A
pair with containment fraction F survives t sampled rows with probability at most F^t: it proves
nothing, and needs 459 rows to refute 99 % of the pairs of fraction 0.99.
"""

from dataclasses import dataclass, replace

import numpy as np

from r2d2.arrays import Int32s
from r2d2.graph import Block, Graph
from r2d2.lake.questions import Lake
from r2d2.stages.schema import projections


@dataclass(frozen=True, slots=True)
class Sample:
    """Looks up `rows` distinct child rows, the same in every run, in each parent."""

    rows: int = 10
    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "sample"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph without the pairs that a sampled row refutes."""
        listed = [block.pairs() for block in graph.blocks]
        pairs = [
            ((child, block.number), (parent, block.number))
            for block, (children, parents) in zip(graph.blocks, listed, strict=True)
            for child, parent in zip(children.tolist(), parents.tolist(), strict=True)
        ]
        answer = lake.overlaps(projections(graph, self.case_sensitive), pairs, self.rows)
        most = [graph.tables[child].rows or answer.counted.get(child, 0) for (child, _), _ in pairs]
        rows = np.array(most, np.float64)
        # A child has at most `rows` distinct rows, so its fraction is at most this.
        fraction = (rows - answer.missing) / np.maximum(rows, 1)
        kept = (fraction >= self.min_fraction) & (answer.missing >= 0)
        ends = np.cumsum([len(children) for children, _ in listed], dtype=np.int64)
        blocks = (
            _only(block, children[keep], parents[keep])
            for block, (children, parents), keep in zip(
                graph.blocks, listed, np.split(kept, ends)[:-1], strict=True
            )
        )
        reasons = {"a sampled child row is missing": int((fraction < self.min_fraction).sum())}
        left = tuple(block for block in blocks if len(block.children))
        return replace(graph.after(answer), blocks=left, reasons=reasons)


def _only(block: Block, children: Int32s, parents: Int32s) -> Block:
    """The block with these pairs of its own left open."""
    mask = np.zeros((len(block.children), len(block.parents)), np.bool_)
    rows = np.searchsorted(block.children, children)
    mask[rows, np.searchsorted(block.parents, parents)] = True
    return block.narrowed([mask])
