"""Columns that need no parent: of one value, as the rows prove, or ignored by the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.engines.local.lake import LocalLake
from r2d2.errors import UsageError
from r2d2.explain import explain_pair
from r2d2.model import Bounds, Table, Verdict
from r2d2.pipeline import find_containment, stages_of
from r2d2.progress import Silence
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.formats.parquet_footers import MAX_VALUE, MIN_VALUE, forge
from tests.support.oracle.asking import find

NAN = float("nan")
BASE = pa.table({"id": range(1000), "v": [i % 7 for i in range(1000)], "s": ["a", "b"] * 500})
FEW = BASE.slice(0, 100)


def lake_of(folder: Path, **tables: pa.Table) -> Path:
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=64)
    return folder


def with_column(name: str, values: Any, table: pa.Table = FEW) -> pa.Table:
    return table.append_column(name, pa.array(values))


def told(lake: Path, engine: str = "local", **changes: Any) -> dict[tuple[str, str], str]:
    """The edges, each with the columns that it does not compare."""
    graph = find(lake, engine, **({"constant_columns": True} | changes))
    return {
        (edge.child.removesuffix(".parquet"), edge.parent.removesuffix(".parquet")): "; ".join(
            map(str, edge.unmatched)
        )
        for edge in graph.edges
    }


def test_a_column_of_one_value_needs_no_parent_and_is_told_with_its_value(
    engine: str, tmp_path: Path
) -> None:
    lake = lake_of(
        tmp_path,
        base=BASE,
        load=with_column("loaded_at", ["2026-01-01"] * 100),
        null=with_column("gone", pa.nulls(100, pa.int32())),
        other=FEW.set_column(2, "s", pa.array(["c"] * 100)),
        two=with_column("loaded_at", ["2026-01-01"] * 99 + ["2026-01-02"]),
        same=FEW.filter(pc.equal(FEW["s"], "a")),
    )
    edges = told(lake, engine)
    assert {pair[0]: text for pair, text in edges.items() if pair[1] == "base"} == {
        "load": "loaded_at = '2026-01-01' (constant)",
        "null": "gone = NULL (constant)",
        "other": "s = 'c' (constant)",
        "same": "",
    }
    assert told(lake, engine, constant_columns=False) == {
        pair: text for pair, text in edges.items() if not text
    }


def test_a_second_value_in_the_last_row_refutes_whatever_the_footer_says(tmp_path: Path) -> None:
    late = with_column("k", [1] * 99 + [2])
    lake_of(tmp_path, base=BASE, late=late.select(["k", "id", "v", "s"]))
    path = tmp_path / "late.parquet"
    forge(path, {MIN_VALUE: (1).to_bytes(8, "little"), MAX_VALUE: (1).to_bytes(8, "little")}, None)
    statistics = pq.read_metadata(path).row_group(1).column(0).statistics
    assert (statistics.min, statistics.max) == (1, 1)
    assert ("late", "base") not in told(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0] * 99 + [None], id="a NULL beside one value"),
        pytest.param([None] * 99 + [1.0], id="one value beside NULLs"),
        pytest.param([0.0] * 99 + [-0.0], id="both zeros"),
        pytest.param([1.0] * 50 + [NAN] * 50, id="NaN, of which no statistics tell"),
    ],
)
def test_values_that_look_alike_are_several(values: list[Any], tmp_path: Path) -> None:
    lake_of(tmp_path, base=BASE, child=with_column("x", values))
    assert ("child", "base") not in told(tmp_path)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([NAN] * 100, "'nan'"),
        ([-0.0] * 100, "'-0.0'"),
        ([0.0] * 100, "'0.0'"),
        (pa.nulls(100, pa.list_(pa.int8())), "NULL"),
        (pa.nulls(100), "NULL"),
    ],
)
def test_nan_negative_zero_and_null_are_values_of_their_own(
    values: Any, text: str, tmp_path: Path
) -> None:
    lake_of(tmp_path, base=BASE, child=with_column("x", values))
    assert told(tmp_path)["child", "base"] == f"x = {text} (constant)"


def test_a_child_whose_every_column_is_constant_or_that_has_no_rows_is_in_nothing_by_this(
    tmp_path: Path,
) -> None:
    lake_of(
        tmp_path,
        base=BASE,
        all=pa.table({"s": ["q"] * 5, "x": [1] * 5}),
        empty=with_column("x", pa.array([], pa.int64()), FEW.slice(0, 0)),
    )
    assert told(tmp_path) == {}
    assert told(tmp_path, ignore_columns=("id", "v", "s", "x")) == {}


def test_names_match_by_case_as_they_do_elsewhere_and_fields_of_structs_are_columns(
    tmp_path: Path,
) -> None:
    geo = pa.array([{"lat": i, "Source": "x"} for i in range(100)])
    lake_of(
        tmp_path,
        base=pa.table({"GEO": [{"LAT": i, "source": "y"} for i in range(200)]}),
        child=pa.table({"geo": geo}),
    )
    assert told(tmp_path)["child", "base"] == "geo.Source = 'x' (constant)"
    assert told(tmp_path, case_sensitive=True) == {}


def test_an_ignored_column_is_told_as_such_and_as_constant_where_it_is(tmp_path: Path) -> None:
    lake_of(
        tmp_path,
        base=BASE,
        child=with_column("Load_Id", range(100)),
        one=with_column("load_id", [7] * 100),
    )
    plain = told(tmp_path, constant_columns=False, ignore_columns=("load_*",))
    assert plain["child", "base"] == "Load_Id (ignored)"
    assert plain["one", "base"] == "load_id (ignored)"
    both = told(tmp_path, ignore_columns=("load_*",))
    assert both["child", "base"] == "Load_Id (ignored)"
    assert both["one", "base"] == "load_id = '7' (constant)"


def test_tables_that_are_equal_but_for_a_constant_are_not_equal(tmp_path: Path) -> None:
    lake_of(tmp_path, base=FEW, load=with_column("loaded_at", [1] * 100))
    graph = find(tmp_path, constant_columns=True)
    assert [(edge.child, edge.equal) for edge in graph.edges] == [
        ("base.parquet", False),
        ("load.parquet", False),
    ]
    assert graph.classes() == ()


def test_explain_names_the_columns_and_renamed_ones_are_refused_beside_them(
    tmp_path: Path,
) -> None:
    lake_of(tmp_path, base=BASE, load=with_column("loaded_at", [1] * 100))
    names = "load.parquet", "base.parquet"
    told = explain_pair(str(tmp_path), *names, Settings(constant_columns=True), 3)
    assert told.evidence[-1].verdict is Verdict.PROVED
    assert "without loaded_at = '1' (constant)" in told.evidence[-1].reason
    assert told.samples == ()
    with pytest.raises(UsageError, match="run `r2d2 find` once with each"):
        Settings(constant_columns=True, renamed=True)


VALUES: Mapping[pa.DataType, Sequence[Any]] = {
    pa.int64(): (0, 1, None),
    pa.float64(): (0.0, -0.0, NAN, None),
    pa.string(): ("", "x", None),
}
KINDS: Mapping[str, Sequence[pa.DataType]] = {
    "a": (pa.int64(),),
    "b": (pa.float64(),),
    "c": (pa.string(),),
    "d": (pa.int64(), pa.string()),
}


@st.composite
def small_tables(draw: st.DrawFn) -> dict[str, pa.Table]:
    """Small tables over the same few columns, many of them with one value."""
    made = {}
    for number in range(draw(st.integers(2, 4))):
        names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, unique=True))
        rows = draw(st.integers(0, 5))
        arrays = {}
        for name in names:
            type_ = draw(st.sampled_from(KINDS[name]))
            every = st.sampled_from(VALUES[type_])
            own = (
                [draw(every)] * rows if draw(st.booleans()) else [draw(every) for _ in range(rows)]
            )
            arrays[name.upper() if draw(st.booleans()) else name] = pa.array(own, type_)
        made[f"t{number}"] = pa.table(arrays)
    return made


def held(table: pa.Table, names: Sequence[str]) -> set[tuple[str, ...]]:
    """The distinct rows over these columns, by lower case; both zeros are one value there."""
    own = table.rename_columns([name.lower() for name in table.column_names]).select(names)
    return {tuple(repr(v or 0 if v == 0 else v) for v in row.values()) for row in own.to_pylist()}


def brute_force(
    tables: Mapping[str, pa.Table], ignored: frozenset[str]
) -> dict[tuple[str, str], tuple[set[str], bool]]:
    """For each pair the first set of columns without which it holds, and whether it ignores any."""
    found = {}
    types = {name: {f.name.lower(): f.type for f in table.schema} for name, table in tables.items()}
    for child, parent in permutations(tables, 2):
        own, theirs = types[child], types[parent]
        if not len(tables[child]):
            continue
        values = {
            name.lower(): map(repr, tables[child][name].to_pylist())
            for name in tables[child].column_names
        }
        constant = {name for name, some in values.items() if len(set(some)) == 1}
        alike = {name for name in own if own[name] == theirs.get(name)}
        levels = [set[str]()]
        for free in (constant, constant | (ignored & own.keys())):
            if free < own.keys():
                levels += [free - alike, free]
        for free in levels:
            left = sorted(own.keys() - free)
            if alike >= set(left) and held(tables[child], left) <= held(tables[parent], left):
                found[child, parent] = free, bool(free - constant)
                break
    return found


@settings(max_examples=60, deadline=None)
@given(tables=small_tables(), ignored=st.frozensets(st.sampled_from("abd"), max_size=1))
def test_edges_are_those_of_brute_force(
    tables: Mapping[str, pa.Table], ignored: frozenset[str], tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=2)
    graph = find(folder, constant_columns=True, ignore_columns=tuple(ignored))
    edges = {
        (e.child.removesuffix(".parquet"), e.parent.removesuffix(".parquet")): (
            {column.column.lower() for column in e.unmatched},
            e.ignores,
        )
        for e in graph.edges
    }
    assert edges == brute_force(tables, ignored)


def test_bounds_of_the_inventory_may_refute_a_constant_and_never_prove_one(tmp_path: Path) -> None:
    lake_of(tmp_path, base=BASE, load=with_column("k", [1] * 99 + [3]))
    chosen = Settings(constant_columns=True)

    class Lying(LocalLake):
        def inventory(self) -> Any:
            found = super().inventory()
            self._tables = tuple(map(_with_one_value, found.tables))
            return replace(found, tables=self._tables)

    with Lying(storage_of(str(tmp_path)), chosen, Silence()) as lake:
        graph = find_containment(lake, stages_of(chosen))
    assert [edge for edge in graph.edges if edge.unmatched] == []


def _with_one_value(table: Table) -> Table:
    one = Bounds(1, 1, 1, 1, has_nulls=False, has_values=True)
    return replace(table, bounds={column.name: one for column in table.columns})


INDEX = "__index_level_0__"


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        pytest.param(range(100), "row number", id="0 to 99 in order"),
        pytest.param(range(1, 101), "index", id="from 1 on"),
        pytest.param([*range(99), 100], "index", id="a gap before the last"),
        pytest.param(range(0, 700, 7), "index", id="the rows that a filter left"),
        pytest.param(pa.array(range(100, 200), pa.uint8()), "index", id="to 199 in a byte"),
        pytest.param([*range(1, 100), -1], None, id="a negative one"),
        pytest.param([*range(99), 98], None, id="one twice"),
        pytest.param([*range(64, 100), *range(64)], None, id="the last rows first"),
        pytest.param([*range(63), 70, *range(64, 100)], None, id="across row groups not ascending"),
        pytest.param([1, 0, *range(2, 100)], None, id="two rows exchanged"),
        pytest.param([*range(99), None], None, id="a NULL at the end"),
        pytest.param([float(i) for i in range(100)], None, id="floats"),
    ],
)
def test_an_index_that_nobody_chose_needs_no_parent(
    numbers: Any, why: str | None, engine: str, tmp_path: Path
) -> None:
    child = with_column(INDEX, numbers if isinstance(numbers, pa.Array) else list(numbers))
    lake_of(tmp_path, base=BASE, child=child)
    assert told(tmp_path, engine).get(("child", "base")) == (f"{INDEX} ({why})" if why else None)


def test_row_numbers_under_a_name_that_somebody_chose_are_data(tmp_path: Path) -> None:
    lake_of(tmp_path, base=BASE, child=with_column("number", range(100)))
    assert told(tmp_path) == {}


@pytest.mark.parametrize("name", ["Unnamed: 0", ""])
def test_an_index_of_a_csv_needs_no_parent(name: str, tmp_path: Path) -> None:
    rows = [f"{i % 7},x{i}" for i in range(300)]
    (tmp_path / "base.csv").write_text("v,s\n" + "\n".join(rows) + "\n")
    for child, first in ("child", 0), ("filtered", 100):
        lines = [f"{i},{row}" for i, row in enumerate(rows[100:200], first)]
        (tmp_path / f"{child}.csv").write_text(f"{name},v,s\n" + "\n".join(lines) + "\n")
    lines = [f"{i:03},{row}" for i, row in enumerate(rows[:100])]
    (tmp_path / "padded.csv").write_text(f"{name},v,s\n" + "\n".join(lines) + "\n")
    edges = told(tmp_path)
    assert edges["child.csv", "base.csv"] == f"{name or '(unnamed)'} (row number)"
    assert edges["filtered.csv", "base.csv"] == f"{name or '(unnamed)'} (index)"
    assert ("padded.csv", "base.csv") not in edges


def test_an_index_in_several_files_ascends_in_each_and_no_number_comes_twice(
    tmp_path: Path, engine: str
) -> None:
    lake_of(tmp_path, base=BASE)
    parts = {"good": [range(500, 550), range(7, 57)], "twice": [range(10, 60), range(59, 109)]}
    for name, some in parts.items():
        (tmp_path / name).mkdir()
        for number, each in enumerate(some):
            rows = FEW.slice(50 * number, 50).append_column(INDEX, pa.array(list(each)))
            pq.write_table(rows, tmp_path / name / f"part-0000{number}-x.parquet")
    edges = told(tmp_path, engine)
    assert edges == {("good", other): f"{INDEX} (index)" for other in ("base", "twice")}


def test_an_edge_that_ignores_columns_hides_none_that_a_deletion_may_rest_on(
    tmp_path: Path,
) -> None:
    lake_of(tmp_path, base=BASE.select(["id", "v"]), other=BASE)
    (tmp_path / "few.csv").write_text("id,v\n" + "".join(f"{i},{i % 7}\n" for i in range(50)))
    chosen = {"ignore_columns": ("v",), "text_exports": True, "min_fraction": 0.9}
    edges = told(tmp_path, **chosen)
    assert edges["few.csv", "base"] == edges["few.csv", "other"] == ""
    near = FEW.set_column(1, "v", pa.array([9, *FEW["v"].to_pylist()[1:]]))
    lake_of(tmp_path, near=near)
    graph = find(tmp_path, constant_columns=True, **chosen)
    (edge,) = [e for e in graph.edges if (e.child, e.parent) == ("near.parquet", "other.parquet")]
    assert (edge.missing_rows, edge.unmatched) == (1, ())
