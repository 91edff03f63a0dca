"""A table's columns as numbers, alike for all tables, so that they can be compared in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.kernels.typetag import type_tag
from r2d2.lake.questions import Projection
from r2d2.model import Table, Types
from r2d2.stages.renamed.column_sketches import Contents, Floats, Integers
from r2d2.stages.renamed_groups import Group
from r2d2.stages.schema import fold


@dataclass(frozen=True, slots=True, eq=False)
class Facets:
    """A table's columns, in order: what each holds, its type, and its name.

    `names` counts a name as its group of tables means it, `spellings` as it is spelled. `group` is
    that of all tables with these names, `larger` those with these and more. `telling` is how many
    bits tell a column's values apart. A parent may lack `may_miss` of the table's rows.
    """

    group: int
    larger: frozenset[int]
    contents: Integers
    types: Integers
    names: Integers
    spellings: Integers
    telling: Floats
    may_miss: float


@dataclass(frozen=True, slots=True)
class Facetting:
    """Makes facets; `codes` numbers types and spellings as they are met."""

    tables: Sequence[Table]
    groups: Sequence[Group]
    types: Types
    case_sensitive: bool
    min_fraction: float
    codes: dict[str, int]

    def all(
        self, asked: Mapping[int, tuple[int, Sequence[Projection]]], contents: Contents
    ) -> Mapping[int, Facets]:
        """The facets of the tables whose columns all hold something.

        `asked` is each table's group and the projections on its columns.
        """
        numbers = contents.numbers
        return {
            table: self._of(table, group, np.array([numbers[key] for key in keys]), contents.sizes)
            for table, (group, keys) in asked.items()
            if all(key in numbers for key in keys)
        }

    def _of(self, table: int, number: int, held: Integers, sizes: Floats) -> Facets:
        group, columns = self.groups[number], self.tables[table].columns
        names = {name: place for place, name in enumerate(group.names, group.first)}
        spelled = [fold(column.name, self.case_sensitive) for column in columns]
        return Facets(
            number,
            group.larger,
            held,
            self._coded([type_tag(column.type, self.types) for column in columns]),
            np.array([names[name] for name in spelled]),
            self._coded(spelled),
            np.log2(1 + sizes[held]),
            (1 - self.min_fraction) * (self.tables[table].rows or 0),
        )

    def _coded(self, words: Sequence[str]) -> Integers:
        return np.array([self.codes.setdefault(word, len(self.codes)) for word in words])
