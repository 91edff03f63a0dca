"""A parent keeps only the hashes that a child may have, and every answer stays as it is."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.engines import scan
from r2d2.engines.local.lake import LocalLake
from r2d2.graph import Graph
from r2d2.lake.questions import Projection, Wanted
from r2d2.model import Table
from r2d2.pipeline import find
from r2d2.progress import Silence
from r2d2.settings.find import Settings
from r2d2.storage import storage_of

ROWS = 150_000
WHOLE = 1 << 60
NAMES = ("all", "changed", "few", "half", "parent")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A parent of two row groups, and some of its rows or columns, once with one row changed."""
    parent = pa.table(
        {
            "a": range(ROWS),
            "b": [n % 91 for n in range(ROWS)],
            "c": [n // 7 for n in range(ROWS)],
        }
    )
    few = parent.select(["b", "a"]).take(list(range(5, ROWS, 31)))
    changed = pa.concat_tables([few.slice(9), pa.table({"b": [3], "a": [77]})])
    tables = (parent.select(["a", "b"]), changed, few, parent.slice(ROWS // 2), parent)
    for name, table in zip(NAMES, tables, strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=90_000)
    return tmp_path


def funnel(graph: Graph) -> list[object]:
    """The funnel without what differs from run to run."""
    return [(r.stage, r.pairs, r.refuted, r.proved, r.left, r.reasons) for r in graph.funnel]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_filtered_parents_change_no_edge_and_no_count_of_any_stage(
    lake: Path, monkeypatch: pytest.MonkeyPatch, threads: int, fraction: float
) -> None:
    monkeypatch.setattr(scan, "FILTERED_ROWS", WHOLE)
    whole = find(lake, threads=threads, min_fraction=fraction)
    monkeypatch.setattr(scan, "FILTERED_ROWS", 0)
    filtered = find(lake, threads=threads, min_fraction=fraction)
    assert filtered.edges == whole.edges
    assert len(whole.edges) >= 4
    assert funnel(filtered) == funnel(whole)


def places_of(tables: tuple[Table, ...]) -> dict[str, Projection]:
    """Each table, by its name, seen through the same columns."""
    return {t.location.removesuffix(".parquet"): (place, 0) for place, t in enumerate(tables)}


def wanted_of(tables: tuple[Table, ...]) -> Wanted:
    """The columns a and b of each table."""
    return {
        (place, 0): tuple(column for column in table.columns if column.name in ("a", "b"))
        for place, table in enumerate(tables)
    }


def test_a_filter_leaves_few_hashes_and_all_that_a_sketch_takes(lake: Path) -> None:
    settings = replace(Settings(), threads=1, sketch_size=50)
    with LocalLake(storage_of(str(lake)), settings, Silence()) as asked:
        tables = asked.inventory().tables
        wanted, at = wanted_of(tables), places_of(tables)
        filtered = asked.sketches(wanted, 50, {at["few"], at["changed"]}).found
        kept = {name: asked._runs.rows(at[name]) for name in NAMES}
        whole = asked.sketches(wanted, 50).found
        left = {name: asked._runs.rows(at[name]) for name in NAMES}
    assert left["parent"] == ROWS
    assert kept["parent"] < ROWS / 5
    assert kept["few"] == left["few"]
    for key, sketch in whole.items():
        assert filtered[key].complete == sketch.complete
        assert filtered[key].run.first.tolist() == sketch.run.first.tolist()


def test_a_child_that_is_asked_about_later_finds_the_hashes_that_were_left_out(lake: Path) -> None:
    settings = replace(Settings(), threads=1)
    with LocalLake(storage_of(str(lake)), settings, Silence()) as asked:
        tables = asked.inventory().tables
        wanted, at = wanted_of(tables), places_of(tables)
        few, half, parent = at["few"], at["half"], at["parent"]
        asked.sketches({few: wanted[few], parent: wanted[parent]}, 8, {few})
        assert asked._runs.rows(parent) < ROWS
        answer = asked.overlaps(wanted, [(few, parent), (half, parent), (parent, half)], None)
    assert answer.missing.tolist() == [0, 0, ROWS // 2]
    assert answer.rows.tolist()[2] == ROWS
