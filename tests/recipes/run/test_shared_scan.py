"""Recipes that share one scan of their parent end as they do one by one."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo, Format, Split
from r2d2.recipes import run as running
from r2d2.recipes.find.reading import read_ahead
from r2d2.recipes.grammar import (
    Between,
    Distinct,
    Field,
    Output,
    Patch,
    Project,
    Residual,
    ResidualKind,
    Rows,
    Select,
)
from r2d2.recipes.literals import Literal
from r2d2.recipes.run.shared_scan import Shared, shared_scans, try_out_together
from r2d2.recipes.run.side_by_side import SideBySide
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import put, tables

ROWS = pa.table(
    {
        "n": range(40_000),
        "day": [i // 10_000 for i in range(40_000)],
        "t": [f"text {i % 97}" for i in range(40_000)],
    }
)
LISTED = Residual(ResidualKind.HASHES, "", 0, 0)
WORK = {"all": None, "first": (0, 0), "later": (2, 3), "other order": (1, 2), "wrong": (0, 1)}


def columns(*names: str) -> tuple[Output, ...]:
    return tuple(Output(name, Field((name,))) for name in names)


def number(value: int) -> Literal:
    return Literal.of(pa.scalar(value, pa.int64()))


def listed(*names: str) -> Rows:
    return Rows("parent.parquet", columns(*names), LISTED)


def recipe(days: tuple[int, int] | None) -> Project | Select:
    if days is None:
        return Project("parent.parquet", columns("t", "n"))
    atom = Between(("day",), number(days[0]), number(days[1]))
    return Select("parent.parquet", columns("day", "t", "n"), (atom,))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A parent of four row groups, each a day, and five tables made of it: one is another."""
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(ROWS, lake / "parent.parquet", row_group_size=10_000)
    for name, days in WORK.items():
        rows = ROWS.select(["t", "n"])
        if days:
            within = pc.and_(
                pc.greater_equal(ROWS["day"], days[0]), pc.less_equal(ROWS["day"], days[1])
            )
            rows = ROWS.filter(within).select(["day", "t", "n"])
        if name == "other order":
            rows = rows.sort_by([("t", "ascending"), ("n", "descending")])
        if name == "wrong":
            rows = rows.slice(1)
        put(lake, f"{name}.parquet", rows)
    return lake


def together(lake: Path, work: Sequence[tuple[str, Shared]], memory: int) -> list[Trial]:
    return try_out_together(LocalStorage(str(lake)), tables(lake), work, lake.parent, memory, 2)


@pytest.mark.parametrize("memory_bytes", [1 << 30, 1 << 16])
def test_recipes_that_share_a_scan_end_as_they_do_one_by_one(
    lake: Path, memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    found = tables(lake)
    assert len(found["parent.parquet"].splits) == 4
    work = [(f"{name}.parquet", recipe(days)) for name, days in WORK.items()]
    for (child, made), trial in zip(work, together(lake, work, memory_bytes), strict=True):
        alone = try_out(LocalStorage(str(lake)), found, found[child], made, lake.parent)
        told = (trial.problem, trial.rows, trial.fingerprint, trial.layout, trial.recipe)
        assert told == (alone.problem, alone.rows, alone.fingerprint, alone.layout, alone.recipe)
        assert (trial.problem is not None) == (child == "wrong.parquet")
        assert trial.seconds > 0


def put_drawn(lake: Path) -> dict[str, tuple[ResidualKind, Rows]]:
    """Tables of drawn rows, each with the list that is smallest and a recipe that lists its rows.

    One has a row that the parent lacks.
    """
    drawn = np.sort(np.random.default_rng(7).choice(len(ROWS), 9_000, replace=False))
    apart = ROWS.take(drawn[::300]).select(["t", "n"])
    every = ROWS.take(drawn).select(["t", "day"])
    put(lake, "few.parquet", apart)
    put(lake, "other.parquet", every.take(np.arange(9_000)[::-1].copy()))
    put(lake, "many.parquet", every)
    put(lake, "lost.parquet", pa.concat_tables([apart, pa.table({"t": ["no such"], "n": [5]})]))
    return {
        "few.parquet": (ResidualKind.HASHES, listed("t", "n")),
        "other.parquet": (ResidualKind.POSITIONS, listed("t", "day")),
        "many.parquet": (ResidualKind.POSITIONS, listed("t", "day")),
        "lost.parquet": (ResidualKind.HASHES, listed("t", "n")),
    }


def test_lists_of_rows_and_distinct_rows_share_their_parent_s_scan_and_end_as_they_do_one_by_one(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    kinds = put_drawn(lake)
    storage = LocalStorage(str(lake))
    rows: list[tuple[str, Shared]] = [(name, made) for name, (_, made) in kinds.items()]
    texts = pa.table({"t": [f"text {number}" for number in range(97)]})
    put(lake, "texts.parquet", texts)
    put(lake, "texts_of_a_day.parquet", texts.sort_by("t"))
    found, atom = tables(lake), Between(("day",), number(2), number(2))
    work = [
        *rows,
        ("first.parquet", recipe((0, 0))),
        ("texts.parquet", Distinct("parent.parquet", columns("t"))),
        ("texts_of_a_day.parquet", Distinct("parent.parquet", columns("t"), (atom,))),
    ]
    (scan,) = shared_scans(found, work, 1 << 30).values()
    assert scan == work
    for (child, made), trial in zip(work, together(lake, work, 1 << 30), strict=True):
        alone = try_out(storage, found, found[child], made, lake.parent)
        assert replace(trial, seconds=0) == replace(alone, seconds=0)
        assert (trial.problem is not None) == (child == "lost.parquet")
        if isinstance(trial.recipe, Rows) and not trial.problem:
            assert trial.recipe.residual.kind is kinds[child][0]


def put_patched(lake: Path) -> dict[str, Patch]:
    """Tables that are nearly the parent's rows, or some of them: rows more, rows fewer, both."""
    added = Residual(ResidualKind.ROWS, "", 3, 0)
    strays = pa.table({"day": [0, 0, 7], "t": ["text 0", "text 0", "new"], "n": [0, 0, 1]})
    day = ROWS.filter(pc.equal(ROWS["day"], 0)).select(strays.column_names)
    drawn = ROWS.take(np.arange(0, len(ROWS), 7)).select(strays.column_names)
    most = ROWS.take(np.flatnonzero(np.arange(len(ROWS)) % 900)).select(strays.column_names)
    whole = Project("parent.parquet", columns("day", "t", "n"))
    put(lake, "strays within.parquet", pa.concat_tables([day[:500], strays, day[500:]]))
    put(lake, "drawn and more.parquet", pa.concat_tables([drawn[:9], strays, drawn[9:]]))
    put(lake, "fewer.parquet", most)
    put(lake, "fewer and more.parquet", pa.concat_tables([strays, most]))
    put(lake, "fewer, in other order.parquet", most.sort_by([("t", "ascending")]))
    return {
        "strays within.parquet": Patch(recipe((0, 0)), plus=added),
        "drawn and more.parquet": Patch(listed("day", "t", "n"), plus=added),
        "fewer.parquet": Patch(whole, minus=LISTED),
        "fewer and more.parquet": Patch(whole, plus=added, minus=LISTED),
        "fewer, in other order.parquet": Patch(whole, minus=LISTED),
    }


def test_patches_share_their_parent_s_scan_and_end_as_they_do_one_by_one(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    work: list[tuple[str, Shared]] = list(put_patched(lake).items())
    wrong = Patch(recipe((1, 1)), plus=Residual(ResidualKind.ROWS, "", 3, 0))
    work += [("wrong.parquet", wrong), ("first.parquet", recipe((0, 0)))]
    found, storage = tables(lake), LocalStorage(str(lake))
    (scan,) = shared_scans(found, work, 1 << 30).values()
    assert scan == work
    for (child, made), trial in zip(work, together(lake, work, 1 << 30), strict=True):
        alone = try_out(storage, found, found[child], made, lake.parent)
        told = (trial.problem, trial.rows, trial.fingerprint, trial.layout, trial.recipe)
        assert told == (alone.problem, alone.rows, alone.fingerprint, alone.layout, alone.recipe)
        assert trial.problem is None


def test_a_patch_in_its_table_s_order_reads_the_parent_no_more_than_for_its_lists(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched = put_patched(lake)
    found, read = tables(lake), list[str]()
    honest = running.read_split

    def noted(storage: Any, split: Split, names: frozenset[str]) -> Iterator[pa.RecordBatch]:
        read.append(split.file.path)
        return honest(storage, split, names)

    monkeypatch.setattr(running, "read_split", noted)
    storage, child = LocalStorage(str(lake)), "fewer.parquet"
    (trial,) = try_out_together(storage, found, [(child, patched[child])], lake.parent)
    assert (trial.problem, len(read)) == (None, 2)


def test_a_list_beyond_the_memory_shares_no_scan(lake: Path) -> None:
    many = replace(listed("t"), residual=replace(LISTED, rows=1_000))
    work = [("all.parquet", recipe(None)), ("few.parquet", many), ("many.parquet", many)]
    assert shared_scans(tables(lake), work, 3 << 16) == {"parent.parquet": work[:2]}
    assert shared_scans(tables(lake), work[1:], 1 << 16) == {}


def test_only_row_groups_with_a_selected_row_are_read_beyond_the_predicate_s_columns(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    read: list[tuple[int, frozenset[str]]] = []
    honest = running.read_split

    def noted(storage: Any, split: Split, names: frozenset[str]) -> Iterator[pa.RecordBatch]:
        read.append((*split.row_groups, names))
        return honest(storage, split, names)

    monkeypatch.setattr(running, "read_split", noted)
    (trial,) = together(lake, [("later.parquet", recipe((2, 3)))], 1 << 30)
    assert trial.problem is None
    whole = frozenset({"n", "day", "t"})
    assert {group for group, names in read if names == whole} == {2, 3}
    # The statistics of the others tell that they have none of these days.
    assert {group for group, names in read if names == {"day"}} == {2, 3}


def test_a_parent_that_cannot_be_read_is_every_recipe_s_problem(lake: Path) -> None:
    found = tables(lake)
    content = bytearray((lake / "parent.parquet").read_bytes())
    content[200:300] = bytes(100)
    (lake / "parent.parquet").write_bytes(content)
    work = [("all.parquet", recipe(None)), ("first.parquet", recipe((0, 0)))]
    trials = try_out_together(LocalStorage(str(lake)), found, work, lake.parent)
    assert all("parent.parquet" in (trial.problem or "") for trial in trials)


def test_a_table_that_cannot_be_read_is_its_own_recipe_s_problem(lake: Path) -> None:
    found = tables(lake)
    (lake / "first.parquet").unlink()
    work = [("all.parquet", recipe(None)), ("first.parquet", recipe((0, 0)))]
    whole, first = try_out_together(LocalStorage(str(lake)), found, work, lake.parent)
    assert whole.problem is None
    assert "first.parquet" in (first.problem or "")


def test_splits_that_are_read_ahead_come_in_order_and_their_error_where_it_happened() -> None:
    splits = [Split(Format.PARQUET, FileInfo(str(n), 1, "")) for n in range(9)]

    def rows_of(split: Split) -> Iterator[pa.RecordBatch]:
        place = int(split.file.path)
        sleep(0.01 * (place % 2 == 0))
        for row in range(7):
            yield pa.record_batch({"n": [place * 7 + row]})
        if place == 5:
            raise UnreadableTableError("cut off")

    seen: list[int] = []
    with pytest.raises(UnreadableTableError, match="cut off"):
        seen.extend(batch["n"][0].as_py() for batch, *_ in read_ahead(splits, rows_of, 3))
    assert seen == list(range(42))


NESTED = st.lists(
    st.fixed_dictionaries(
        {
            "f": st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, float("nan")])),
            "l": st.one_of(
                st.none(), st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=3)
            ),
            "m": st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=1),
            "s": st.one_of(
                st.none(), st.fixed_dictionaries({"x": st.one_of(st.none(), st.text(max_size=2))})
            ),
        }
    ),
    min_size=1,
    max_size=12,
)
SCHEMA = pa.schema(
    [
        ("f", pa.float64()),
        ("l", pa.list_(pa.int64())),
        ("m", pa.map_(pa.string(), pa.int64())),
        ("s", pa.struct([("x", pa.string())])),
    ]
)


@given(NESTED, NESTED, st.lists(st.integers(1, 5), min_size=1), st.booleans())
def test_rows_are_the_same_side_by_side_where_every_value_is_however_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory,
    own: list[dict[str, Any]],
    other: list[dict[str, Any]],
    cuts: list[int],
    is_copy: bool,
) -> None:
    lake = tmp_path_factory.mktemp("lake")
    put(lake, "child.parquet", pa.Table.from_pylist(own, SCHEMA))
    made = pa.Table.from_pylist(own if is_copy else other, SCHEMA).combine_chunks()
    beside = SideBySide(LocalStorage(str(lake)), tables(lake)["child.parquet"], 1 << 20)
    batch, start = made.to_batches()[0], 0
    while start < batch.num_rows:
        count = cuts[start % len(cuts)]
        beside.add(batch.slice(start, count))
        start += count
    beside.end()
    assert beside.is_same == (repr(made.to_pylist()) == repr(own_rows(own)))


def own_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return pa.Table.from_pylist(rows, SCHEMA).to_pylist()


def test_no_more_splits_are_read_than_are_about_to_be_asked_for() -> None:
    splits, begun = [Split(Format.PARQUET, FileInfo(str(n), 1, "")) for n in range(9)], list[str]()

    def rows_of(split: Split) -> Iterator[pa.RecordBatch]:
        begun.append(split.file.path)
        yield pa.record_batch({"n": [1]})

    with closing(read_ahead(splits, rows_of, threads=2)) as batches:
        for number, _ in enumerate(batches, 1):
            sleep(0.01)
            assert len(begun) <= number + 2
