"""Columns of other names are found by what they hold, and proved row by row."""

import json
import random
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import write_table

import r2d2
from r2d2.cli import main
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import sketch, sorted_unique
from r2d2.stages.renamed.column_sketches import ColumnContents
from r2d2.stages.renamed.table_matches import BINS, TableMatch, likely_holders, minima
from tests.support.oracle.asking import find
from tests.support.oracle.files import write
from tests.support.stages.renaming import false_edges, true_edges, write_renamed


def people(rows: int, start: int = 0) -> dict[str, list[Any]]:
    """A number, a name, an amount and two flags, each of which depends on the row alone."""
    numbers = range(start, start + rows)
    return {
        "id": list(numbers),
        "name": [f"person {n * 7 % 1009}" for n in numbers],
        "amount": [n * 13 % 997 / 8 for n in numbers],
        "active": [n % 3 == 0 for n in numbers],
        "paid": [n % 5 < 2 for n in numbers],
    }


def renamed(table: dict[str, list[Any]], *names: str) -> dict[str, list[Any]]:
    return dict(zip(names, table.values(), strict=True))


def mappings(lake: Path, engine: str = "local", **settings: Any) -> dict[str, dict[str, str]]:
    """Each edge as `child in parent`, with its columns."""
    graph = find(lake, engine, renamed=True, **settings)
    return {
        f"{edge.child.split('.')[0]} in {edge.parent.split('.')[0]}": dict(edge.columns)
        for edge in graph.edges
    }


def test_a_part_with_other_names_is_found_with_its_mapping(tmp_path: Path, engine: str) -> None:
    write(tmp_path, whole=people(200), part=renamed(people(60, 50), *"vwxyz"))
    assert mappings(tmp_path, engine) == {
        "part in whole": dict(zip("vwxyz", people(1), strict=True)),
    }


def test_names_alone_decide_unless_renamed_columns_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, whole=people(200), part=renamed(people(60, 50), *"vwxyz"))
    assert not r2d2.find(tmp_path).edges


def test_equal_tables_with_other_names_are_edges_both_ways(tmp_path: Path) -> None:
    write(tmp_path, a=people(100), b=renamed(people(100), *"vwxyz"))
    graph = r2d2.find(tmp_path, renamed=True)
    assert [edge.equal for edge in graph.edges] == [True, True]
    assert graph.edges[0].columns == tuple(zip(people(1), "vwxyz", strict=True))
    assert graph.edges[1].columns == tuple(zip("vwxyz", people(1), strict=True))


def test_edges_of_renamed_columns_are_marked_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run = tmp_path / "lake", str(tmp_path / "run")
    lake.mkdir()
    part = people(60, 50)
    part["total"] = part.pop("amount")
    write(lake, whole=people(200), part=part, swapped=renamed(people(200), *"vwxyz"))
    assert main(["find", str(lake), "--renamed", "--out", run]) == 0
    assert "(renamed: " in capsys.readouterr().out
    assert main(["edges", run]) == 0
    text = capsys.readouterr().out
    assert "⊆  whole.parquet (renamed: total from amount)" in text
    (equal,) = (line for line in text.splitlines() if "  =  " in line)
    assert " (renamed: " in equal
    assert "and 2 more)" in equal
    assert main(["edges", run, "--json", "--child", "part*", "--parent", "whole*"]) == 0
    assert [edge["renamed"] for edge in json.loads(capsys.readouterr().out)] == [
        "total from amount"
    ]
    header, *rows = (tmp_path / "run" / "edges.csv").read_text().splitlines()
    assert header.endswith(",unmatched,renamed")
    assert any(row.endswith(",total from amount") for row in rows)


def test_columns_of_the_same_names_are_not_marked(tmp_path: Path) -> None:
    write(tmp_path, whole=people(200), part={k.upper(): v for k, v in people(60, 50).items()})
    (edge,) = r2d2.find(tmp_path).edges
    assert edge.renamed == ()


def test_tables_keep_their_own_names_and_bounds(tmp_path: Path) -> None:
    write(tmp_path, a=people(100), b=renamed(people(100), *"vwxyz"))
    assert find(tmp_path, renamed=True).tables == find(tmp_path).tables


def test_one_row_changed_is_no_edge(tmp_path: Path) -> None:
    changed = people(60, 50)
    changed["amount"][7], changed["amount"][8] = changed["amount"][8], changed["amount"][7]
    write(tmp_path, whole=people(200), part=renamed(changed, *"vwxyz"))
    assert mappings(tmp_path) == {}
    graph = r2d2.find(tmp_path, renamed=True, min_fraction=0.9)
    assert [(edge.fraction, edge.missing_rows) for edge in graph.edges] == [(58 / 60, 2)]


def test_some_columns_renamed_and_some_not(tmp_path: Path) -> None:
    part = renamed(people(60, 50), "id", "full_name", "amount", "active", "settled")
    write(tmp_path, whole=people(200), part=part)
    own = {"id": "id", "amount": "amount", "active": "active"}
    assert mappings(tmp_path) == {
        "part in whole": {**own, "full_name": "name", "settled": "paid"},
    }


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_flags_are_told_apart_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    flags = [[n // step % 2 for n in range(100)] for step in (1, 3, 9)]
    whole = renamed({"id": list(range(100)), "a": flags[0], "b": flags[1], "c": flags[2]}, *"iabc")
    part = {f"f{place}": flags[place][:80] for place in order}
    write(tmp_path, whole=whole, part={"number": list(range(80)), **part})
    expected = {"number": "i", **{f"f{place}": "abc"[place] for place in order}}
    assert mappings(tmp_path) == {"part in whole": expected}


@pytest.mark.parametrize("turned", [False, True])
def test_two_columns_of_the_same_values_are_tried_both_ways(tmp_path: Path, turned: bool) -> None:
    pairs = {"from": [1, 2, 3, 4], "to": [2, 3, 4, 1]}
    other = {"x": pairs["to"], "y": pairs["from"]} if turned else renamed(pairs, *"xy")
    write(tmp_path, a=pairs, b=other)
    expected = {"x": "to", "y": "from"} if turned else {"x": "from", "y": "to"}
    assert mappings(tmp_path)["b in a"] == expected


def test_columns_of_other_types_never_match(tmp_path: Path) -> None:
    small = pa.array(range(100), pa.int32())
    write(tmp_path, wide={"x": list(range(200))}, narrow={"y": small})
    assert mappings(tmp_path) == {}
    graph = find(tmp_path, renamed=True, types="widened")
    assert [edge.equal_after_cast for edge in graph.edges] == [True]


def test_a_struct_field_may_be_a_field_of_another_name(tmp_path: Path) -> None:
    rows = [{"lat": n / 8, "lon": -n / 8} for n in range(50)]
    others = [{"y": row["lat"], "x": row["lon"]} for row in rows[:20]]
    write(tmp_path, whole={"place": rows}, part={"where": others})
    expected = {"where.y": "place.lat", "where.x": "place.lon"}
    assert mappings(tmp_path) == {"part in whole": expected}


def test_a_chain_of_renamings_is_followed(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=people(200),
        b=renamed(people(100), *"vwxyz"),
        c=renamed(people(50), *"klmno"),
    )
    assert mappings(tmp_path).keys() == {"b in a", "c in a", "c in b"}


def test_tables_without_rows_or_partners_are_no_trouble(tmp_path: Path, engine: str) -> None:
    empty = pa.table({"q": pa.array([], pa.int64())})
    nothing = pa.table({"r": pa.array([None, None], pa.int64())})
    write(tmp_path, empty=empty, nothing=nothing, alone={"s": ["a"]})
    assert mappings(tmp_path, engine) == {}


def test_an_unreadable_table_is_named_and_the_others_are_found(tmp_path: Path) -> None:
    write(tmp_path, whole=people(200), part=renamed(people(60), *"vwxyz"), torn=people(99))
    torn = tmp_path / "torn.parquet"
    damaged = bytearray(torn.read_bytes())
    damaged[4:600] = bytes(596)
    torn.write_bytes(damaged)
    graph = find(tmp_path, renamed=True)
    assert [table.location for table in graph.tables if table.unreadable] == ["torn.parquet"]
    assert {(edge.child, edge.parent) for edge in graph.edges} == {
        ("part.parquet", "whole.parquet")
    }


@pytest.mark.parametrize("seed", range(20))
def test_no_edge_by_names_is_ever_lost(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    tables = {}
    for number in range(8):
        names = chance.sample("abcdef", chance.randint(1, 4))
        rows = chance.randint(1, 6)
        tables[f"t{number}"] = {name: [chance.randint(0, 2) for _ in range(rows)] for name in names}
    write(tmp_path, **tables)
    by_names = {(edge.child, edge.parent) for edge in find(tmp_path).edges}
    edges = find(tmp_path, renamed=True).edges
    assert by_names <= {(edge.child, edge.parent) for edge in edges}
    assert false_edges(tmp_path, edges) == []


@pytest.mark.shared
def test_the_dev_lake_renamed_at_random_loses_few_edges_and_gains_no_false_one(
    tmp_path: Path, shared: Path
) -> None:
    assert len(write_renamed(shared / "lakes/dev/parquet", tmp_path, seed=0)) == 104
    expected = true_edges(shared / "lakes/truth/truth_dev_derived_parquet.csv.gz")
    edges = {(edge.child, edge.parent): edge for edge in find(tmp_path, renamed=True).edges}
    assert len(expected & edges.keys()) / len(expected) >= 0.95
    more = [edge for pair, edge in edges.items() if pair not in expected]
    assert false_edges(tmp_path, more) == []


def contents(*values: np.ndarray, size: int = 1 << 20) -> ColumnContents:
    """What columns of these hashes hold, by their order."""
    runs = [sorted_unique(Lanes(lane, lane * np.uint64(0x9E3779B97F4A7C15))) for lane in values]
    return ColumnContents.of({(0, place): sketch(run, size) for place, run in enumerate(runs)})


hashes = st.lists(st.integers(0, 40), min_size=1, max_size=30)


@given(hashes, hashes, st.integers(1, 12))
def test_what_is_missing_is_counted_up_to_the_parents_threshold(
    child: list[int], parent: list[int], size: int
) -> None:
    found = contents(*(np.array(values, np.uint64) for values in (child, parent)), size=size)
    kept, held = (sorted(set(values)) for values in (child, parent))
    kept, threshold = kept[:size], held[size - 1] if len(held) > size else 40
    known = [value for value in kept if value <= threshold]
    missing = [value for value in known if value not in held[:size]]
    (share,) = found.missing_shares(
        np.array([found.numbers[0, 0]]), np.array([found.numbers[0, 1]]), 99
    )
    assert share == len(missing) / max(1, len(known))


@pytest.mark.parametrize("size", [256, 1 << 20])
@pytest.mark.parametrize("common", [0.1, 0.5, 0.9])
def test_minhashes_agree_as_often_as_the_sets_do(size: int, common: float) -> None:
    random_ = np.random.default_rng(0)
    agreeing = 0
    for _ in range(50):
        values = random_.integers(0, 1 << 63, 2000, np.uint64)
        both = int(1000 * 2 * common / (1 + common))
        found = contents(values[:1000], values[1000 - both : 2000 - both], size=size)
        agreeing += int((minima(found)[0] == minima(found)[1]).sum())
    assert agreeing / (50 * BINS) == pytest.approx(common, abs=0.03)


def test_a_columns_holders_are_proposed_whatever_their_size() -> None:
    values = np.random.default_rng(0).integers(0, 1 << 63, 4000, np.uint64)
    found = contents(values[:300], values[:400], values[:1500], values[:4000], values[2000:2300])
    assert set(likely_holders(found, [0])[0]) >= {0, 1, 2, 3}


@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_best_assignment_leaves_no_better_one(rows: int, columns: int, chance: Any) -> None:
    held = np.array([[chance.choice([0, 0.5, 1]) for _ in range(columns)] for _ in range(rows)])
    alike = np.array([[chance.random() for _ in range(columns)] for _ in range(rows)])
    candidate = TableMatch(0, 1, held, alike, np.ones(rows))
    weights = held * alike + 2 * (held == 1)
    chosen = candidate.matched()
    assert len(set(chosen[1].tolist())) == len(chosen[1])
    slots = list(range(columns)) + [None] * rows
    best = max(
        sum(weights[row, column] for row, column in enumerate(pick) if column is not None)
        for pick in permutations(slots, rows)
    )
    assert weights[chosen].sum() == pytest.approx(best)


@pytest.mark.parametrize("empty_columns", [["a"], ["a", "b"], ["A"], []])
def test_tables_without_rows_keep_their_edges(tmp_path: Path, empty_columns: list[str]) -> None:
    rows = pa.table({"a": range(500), "b": [f"x{i}" for i in range(500)]})
    write_table(rows, tmp_path / "full.parquet")
    write_table(pa.table({"a": ["u", "v"], "w": [1.5, 2.5]}), tmp_path / "an_unrelated_a.parquet")
    write_table(rows.rename_columns(["c", "d"]), tmp_path / "other_names.parquet")
    columns = {name: rows[name.lower()].slice(0, 0) for name in empty_columns}
    write_table(pa.table(columns), tmp_path / "empty.parquet")
    write_table(rows.slice(0, 0), tmp_path / "header.parquet")
    (tmp_path / "header.csv").write_text("b,a\n")
    (tmp_path / "full.csv").write_text("a,b\n1,x\n")
    plain, with_renamed = (r2d2.find(tmp_path, renamed=asked) for asked in (False, True))
    assert plain.degenerate == with_renamed.degenerate
    assert ("header.parquet", "full.parquet") in {(e.child, e.parent) for e in plain.degenerate}
