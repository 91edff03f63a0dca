"""The generated lakes are what they promise, at a small size."""

import csv
from collections import Counter
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import lineitem, lineitem_tables, small_tables, snapshots

Row = tuple[object, ...]


def rows(table: pa.Table, names: list[str]) -> set[Row]:
    return set(zip(*(table[name].to_pylist() for name in names), strict=True))


def brute_force_edges(lake: Path) -> set[tuple[str, str]]:
    tables = {p.relative_to(lake).as_posix(): pq.read_table(p) for p in lake.rglob("*.parquet")}
    edges = set()
    for (child, small), (parent, large) in permutations(tables.items(), 2):
        names = sorted(small.column_names)
        fits = set(small.schema) <= set(large.schema)
        if fits and rows(small, names) <= rows(large, names):
            edges.add((child, parent))
    return edges


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("snapshots")
    snapshots.write_truth(lake, snapshots.make(lake, days=8))
    return lake


def test_the_edges_written_beside_the_snapshots_are_all_there_are(days: Path) -> None:
    with (days / "_truth.csv").open(newline="") as file:
        truth = {(row["child"], row["parent"]) for row in csv.DictReader(file)}
    assert len(truth) == 20
    assert truth == brute_force_edges(days)


def test_snapshots_have_twenty_nested_schemas_of_as_many_days(days: Path) -> None:
    schemas = Counter(frozenset(pq.read_schema(path).names) for path in days.rglob("*.parquet"))
    assert len(schemas) == 20
    assert set(schemas.values()) == {8}
    contained = sum(small <= large for small in schemas for large in schemas)
    assert 500 * (500 * contained - 20) == 14_240_000


def test_a_snapshot_has_40_to_100_rows(days: Path) -> None:
    counts = [pq.read_metadata(path).num_rows for path in days.rglob("*.parquet")]
    assert 40 <= min(counts) <= max(counts) <= 100


def test_snapshots_of_one_seed_are_the_same_bytes(days: Path, tmp_path: Path) -> None:
    snapshots.make(tmp_path, days=8)
    for path in sorted(tmp_path.rglob("*.parquet"))[::7]:
        assert path.read_bytes() == (days / path.relative_to(tmp_path)).read_bytes()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("lines") / "lake"
    lineitem.make(lake, scale=0.002)
    return lake


def test_the_lineitem_lake_has_a_full_table_12_slices_12_projections_and_6_near_misses(
    lines: Path,
) -> None:
    folders = Counter(path.parent.name for path in lines.rglob("*.parquet"))
    assert folders == {"warehouse": 1, "slices": 12, "marts": 12, "drafts": 6}
    projections = {frozenset(pq.read_schema(path).names) for path in lines.glob("marts/*")}
    assert len(projections) == 3


def test_slices_and_projections_are_contained_in_lineitem_and_near_misses_are_not(
    lines: Path,
) -> None:
    full = pq.read_table(lines / "warehouse/lineitem.parquet")
    contained = Counter[tuple[str, bool]]()
    for path in [*lines.glob("slices/*"), *lines.glob("marts/*"), *lines.glob("drafts/*")]:
        table = pq.read_table(path)
        names = table.column_names
        contained[path.parent.name, rows(table, names) <= rows(full, names)] += 1
    assert contained == {("slices", True): 12, ("marts", True): 12, ("drafts", False): 6}


@pytest.mark.parametrize("name", lineitem_tables.NEAR_MISSES)
def test_a_near_miss_differs_from_its_slice_in_one_row_within_the_bounds(
    lines: Path, name: str
) -> None:
    part, change = lineitem_tables.NEAR_MISSES[name]
    draft = pq.read_table(lines / f"drafts/{name}.parquet")
    whole = pq.read_table(lines / f"slices/{part}.parquet")
    new = rows(draft, draft.column_names) - rows(whole, draft.column_names)
    gone = rows(whole, draft.column_names) - rows(draft, draft.column_names)
    assert (len(new), len(gone), len(draft) - len(whole)) == (
        (1, 0, 1) if change.more else (1, 1, 0)
    )
    value = dict(zip(draft.column_names, new.pop(), strict=True))[change.column]
    bounds = pc.min_max(whole[change.column]).as_py()
    assert bounds["min"] <= value <= bounds["max"]


@pytest.mark.parametrize("kind", small_tables.LAKES)
def test_the_edges_written_beside_small_tables_are_all_there_are(kind: str, tmp_path: Path) -> None:
    edges = small_tables.LAKES[kind](tmp_path, 0.04)
    assert len(edges) > 2
    assert set(edges) == brute_force_edges(tmp_path)


def test_daily_files_drift_between_whole_numbers_and_float64(tmp_path: Path) -> None:
    small_tables.drift(tmp_path, 0.04)
    schemas = Counter(
        pq.read_schema(path).remove_metadata() for path in tmp_path.rglob("*.parquet")
    )
    assert all(len(schema) == 20 for schema in schemas)
    assert 10 < len(schemas) <= 30
    assert sum(count * (count - 1) for count in schemas.values()) > 0.3 * 200 * 199
