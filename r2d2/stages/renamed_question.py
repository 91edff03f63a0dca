"""What is asked of the lake about columns under other names."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from r2d2.lake.protocol import Projection
from r2d2.model import Column

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks


@dataclass(frozen=True, slots=True)
class Question:
    """The projections of one question; `numbers` is shared by all questions of a run."""

    numbers: dict[tuple[Column, ...], int]
    wanted: dict[Projection, tuple[Column, ...]] = field(default_factory=dict)

    def projection(self, table: int, columns: Sequence[Column]) -> Projection:
        """The projection on columns whose names are those that enter the hash."""
        chosen = tuple(columns)
        key = table, self.numbers.setdefault(chosen, FIRST_NUMBER + len(self.numbers))
        self.wanted[key] = chosen
        return key
