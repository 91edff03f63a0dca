"""Tables hashed together, alone, cached or read again: the same rows, the same proposals."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from r2d2.model import Types
from r2d2.recipes.find import columns_by_table, search_one
from r2d2.recipes.find.request import AnyRequest, Request, UnionRequest, by_name
from r2d2.recipes.find.row_counts import RowCounts
from tests.support.recipes.recipe_lake import RecipeLake

WHOLE = pa.table({"a": [1, 2, 2, 3, None], "b": ["x", "y", "y", None, "z"]})


def lake_of(folder: Path) -> RecipeLake:
    tables: Mapping[str, pa.Table] = {
        "whole": WHOLE,
        "head": WHOLE.slice(0, 2),
        "tail": WHOLE.slice(2),
        "letters": WHOLE.select(["b"]).rename_columns(["letter"]),
        "numbers": WHOLE.select(["a"]),
    }
    return RecipeLake.of(folder, tables)


def requests_of(lake: RecipeLake) -> list[AnyRequest]:
    children = [lake.child(name) for name in ("head", "tail", "numbers")]
    children.append(lake.child("letters", letter="b"))
    parts = (lake.child("head"), lake.child("tail"))
    return [
        Request(lake.tables["whole"], tuple(children)),
        UnionRequest(lake.tables["whole"], parts),
    ]


@pytest.mark.parametrize("cache_bytes", [0, 200, 1 << 20])
def test_preparing_and_caching_change_no_proposal(tmp_path: Path, cache_bytes: int) -> None:
    lake = lake_of(tmp_path)
    requests = requests_of(lake)
    plain, prepared = (
        RowCounts(lake.storage, Types.STRICT, size) for size in (1 << 20, cache_bytes)
    )
    prepared.prepare(columns_by_table(requests))
    expected = [search_one(request, plain) for request in requests]
    assert [search_one(request, prepared) for request in requests] == expected
    assert [search_one(request, prepared) for request in requests] == expected
    assert all(proposal.recipe is not None for found in expected for proposal in found)
    assert [len(found) for found in expected] == [4, 1]


def test_a_table_is_read_once(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    requests = requests_of(lake)
    counts = RowCounts(lake.storage, Types.STRICT)
    counts.prepare(columns_by_table(requests))
    for table in lake.tables.values():
        (tmp_path / "lake" / table.location).unlink()
    found = [proposal for request in requests for proposal in search_one(request, counts)]
    assert all(proposal.recipe is not None for proposal in found)


def test_a_table_that_cannot_be_read_is_a_reason_and_stops_no_other(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    for name in ("head", "tail"):
        content = (tmp_path / f"lake/{name}.parquet").read_bytes()
        (tmp_path / f"lake/{name}.parquet").write_bytes(content[:40])
    counts = RowCounts(lake.storage, Types.STRICT)
    requests = requests_of(lake)
    counts.prepare(columns_by_table(requests))
    of_parent, of_union = (search_one(request, counts) for request in requests)
    assert [proposal.recipe is None for proposal in of_parent] == [True, True, False, False]
    assert of_parent[0].reason.startswith("head.parquet: ")
    assert of_union == []


def test_rows_are_counted_over_the_given_columns(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    counts = RowCounts(lake.storage, Types.STRICT)
    whole = lake.tables["whole"]
    assert sorted(counts.counted(whole, by_name(whole.columns)).counts) == [1, 1, 1, 2]
    child = lake.child("letters", letter="b")
    there, own = child.columns_of(whole), child.columns
    seen, rows = counts.counted(whole, there), counts.counted(child.table, own)
    assert seen.held(rows)[2] == rows.held(seen)[2] == 0
    assert seen.rows == rows.rows == 5
