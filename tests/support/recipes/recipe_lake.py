"""A lake of Parquet tables on disk, its recipes searched and run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.lake.inventory import take_inventory
from r2d2.model import Table, Types
from r2d2.plan.requests import ColumnNames
from r2d2.recipes.find import search, search_one
from r2d2.recipes.find.request import (
    ContainedTable,
    Proposal,
    Request,
    SeveralRequest,
    UnionRequest,
)
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import try_out
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from r2d2.storage.local import Storage


@dataclass(frozen=True, slots=True)
class RecipeLake:
    """Tables by name in a folder, and the recipes between them."""

    folder: Path
    storage: Storage
    tables: Mapping[str, Table]
    types: Types = Types.STRICT

    @classmethod
    def of(
        cls, folder: Path, tables: Mapping[str, pa.Table], types: Types = Types.STRICT
    ) -> "RecipeLake":
        lake = folder / "lake"
        lake.mkdir()
        for name, table in tables.items():
            pq.write_table(table, lake / f"{name}.parquet")
        storage = storage_of(str(lake))
        found = take_inventory(storage, Settings()).tables
        by_name = {table.location.removesuffix(".parquet"): table for table in found}
        return cls(folder, storage, by_name, types)

    def child(self, name: str, **names: str) -> ContainedTable:
        """The table as a child; `names` are those of its columns that the other calls otherwise."""
        table = self.tables[name]
        return ContainedTable(table, {c.name: names.get(c.name, c.name) for c in table.columns})

    def from_parent(self, child: str, parent: str, **names: str) -> Proposal:
        """The proposal for the child from the parent."""
        request = Request(self.tables[parent], (self.child(child, **names),))
        (proposal,) = search_one(request, RowCounts(self.storage, self.types))
        return proposal

    def from_parts(self, table: str, *parts: str) -> list[Proposal]:
        """The proposals for the table as some of these together."""
        request = UnionRequest(self.tables[table], tuple(map(self.child, parts)))
        return search_one(request, RowCounts(self.storage, self.types))

    def from_several(self, child: str, *others: str, whole_bytes: float = inf) -> list[Proposal]:
        """The proposals for the table as rows of some of these, that have its columns."""
        table, columns = self.tables[child], ColumnNames(self.types)
        holders = columns.holders([table, *(self.tables[name] for name in others)])
        request = SeveralRequest((table,), tuple(holders(table)), whole_bytes)
        return search([request], RowCounts(self.storage, self.types))

    def rows(
        self, name: str, recipe: Recipe, memory_bytes: int = 1 << 30
    ) -> Counter[tuple[object, ...]]:
        """The rows that the recipe gives for the table, after a trial that met no problem."""
        tables = {table.location: table for table in self.tables.values()}
        own = self.tables[name]
        trial = try_out(self.storage, tables, own, recipe, self.folder, memory_bytes)
        assert trial.problem is None
        schema = pq.read_schema(self.folder / "lake" / own.location)
        context = RecipeContext(self.storage, tables, ResidualFolder(self.folder))
        return counted(pa.Table.from_batches(rebuilt(context, trial.recipe, schema), schema))


def counted(table: pa.Table) -> Counter[tuple[object, ...]]:
    """How often each row occurs."""
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))
