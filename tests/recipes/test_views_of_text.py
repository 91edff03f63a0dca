"""Texts and bytes that a reader gives as views, of which pyarrow takes and filters no rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.lake.inventory import layout_of
from r2d2.recipes.grammar import Patch, Project, Rows, Select
from r2d2.recipes.run.trial import try_out
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import come_back
from tests.support.recipes.lakes import tables as located
from tests.support.recipes.recipe_lake import RecipeLake

ROWS = 40
TEXTS = [f"text {number % 7}" for number in range(ROWS)]
WHOLE = pa.table(
    {
        "id": range(ROWS),
        "text": pa.array(TEXTS, pa.string_view()),
        "bytes": pa.array([text.encode() for text in TEXTS], pa.binary_view()),
    }
)
PLAIN = WHOLE.cast(
    pa.schema(
        [
            ("id", pa.int64()),
            ("text", pa.string()),
            ("bytes", pa.binary()),
        ]
    )
)
SOME = [0, 3, 4, 7, 10, 13, 14, 18, 21, 23, 27, 32, 33, 38]
CHILDREN = {
    "project": (PLAIN.select(["bytes", "text"]), Project),
    "select": (PLAIN.filter(pa.array([text == "text 3" for text in TEXTS])), Select),
    "rows": (PLAIN.take(SOME), Rows),
    "patch": (pa.concat_tables([PLAIN, PLAIN.slice(2, 1)]), Patch),
}


@pytest.mark.parametrize(("child", "kind"), CHILDREN.values(), ids=list(CHILDREN))
@pytest.mark.parametrize("from_views", [True, False])
def test_a_table_comes_back_from_views_and_as_views(
    tmp_path: Path, child: pa.Table, kind: type, from_views: bool
) -> None:
    as_views = child.cast(pa.schema([WHOLE.schema.field(name) for name in child.column_names]))
    as_views = as_views.combine_chunks()
    tables = {"whole": WHOLE, "child": child} if from_views else {"whole": PLAIN, "child": as_views}
    lake = RecipeLake.of(tmp_path, tables)
    recipe = lake.from_parent("child", "whole").recipe
    assert isinstance(recipe, kind)
    tables_there = {table.location: table for table in lake.tables.values()}
    assert (
        try_out(lake.storage, tables_there, lake.tables["child"], recipe, tmp_path).problem is None
    )


def test_a_table_of_views_is_written_back_whatever_its_row_groups(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(WHOLE, lake / "t.parquet")
    come_back(lake, tmp_path / "back", "t.parquet")
    layout = layout_of(LocalStorage(str(lake)), located(lake)["t.parquet"])
    assert "large" in layout["not_restored"][0]
