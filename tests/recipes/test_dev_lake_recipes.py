"""The dev lake: tables made by copying, projecting and filtering are found to be just that."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.schema import flatten
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted
from r2d2.hashing.rows import row_hashes
from r2d2.model import Column, Types
from r2d2.recipes.predicate import find_predicate, satisfying
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.row_labels import Groups

pytestmark = pytest.mark.shared

MADE = ("filter", "project", "copy", "split_by_value", "only_null_rows")


def hashes(table: pa.Table, columns: Sequence[Column]) -> Lanes:
    (batch,) = table.combine_chunks().to_batches()
    return row_hashes(batch, [columns], Types.STRICT)[0]


def lowered(table: pa.Table, names: Sequence[str] = ()) -> list[Column]:
    """The table's columns under lower-cased names, those of `names` where any are given."""
    columns = [Column(c.name.lower(), c.type, c.path) for c in flatten(table.schema)]
    return [column for column in columns if not names or column.name in names]


def recipe_of(child: pa.Table, parent: pa.Table) -> str:
    """project, distinct, select or none."""
    own = lowered(child)
    groups = Groups.of(hashes(parent, lowered(parent, [column.name for column in own])))
    labels = groups.labels(Counted.of(hashes(child, own)))
    if labels.is_contained and np.array_equal(labels.child, labels.parent):
        return "project"
    if not labels.missing and (labels.child == 1).all():
        return "distinct"
    encoded = EncodedTable.of(parent)
    found = find_predicate(encoded, labels)
    assert not found or labels.are_selected_by(satisfying(found.atoms, encoded))
    return "select" if found else "none"


def test_every_copy_projection_and_filter_is_rebuilt_from_what_it_was_made_of(
    shared: Path,
) -> None:
    lake = shared / "lakes/dev/parquet"
    with open(shared / "lakes/truth/manifest_dev_derived.csv", newline="") as file:
        made = [row for row in csv.DictReader(file) if row["op"].startswith(MADE)]
    recipes = {
        row["table"]: recipe_of(
            *(pq.read_table(lake / f"{row[key]}.parquet") for key in ("table", "base"))
        )
        for row in made
    }
    assert len(recipes) == 132
    assert [table for table, recipe in recipes.items() if recipe == "none"] == []
