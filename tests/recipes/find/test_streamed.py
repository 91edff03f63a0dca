"""Parents larger than the memory: recipes found in passes are exact, and those found in memory."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.model import Types
from r2d2.recipes.find import search_one
from r2d2.recipes.find.request import Proposal, Request, UnionRequest
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.find.streamed import propose_streamed
from r2d2.recipes.grammar import Distinct, NotIn, Patch, Project, Rows, Select
from tests.recipes.find.test_propose_properties import Row, counted, row, table
from tests.support.recipes.recipe_lake import RecipeLake

ROOM = 1 << 30


def streamed(lake: RecipeLake, *children: str, memory_bytes: int = ROOM) -> list[Proposal]:
    request = Request(lake.tables["parent"], tuple(map(lake.child, children)))
    return propose_streamed(
        request, RowCounts(lake.storage, Types.STRICT, memory_bytes=memory_bytes)
    )


def days(rows: int = 4000) -> pa.Table:
    numbers = np.arange(rows)
    return pa.table(
        {
            "id": numbers,
            "day": pa.array(numbers // 100, pa.int32()).cast(pa.date32()),
            "kind": [f"kind{n % 7}" for n in numbers],
            "price": (numbers * 37 % 1000) / 8,
        }
    )


def test_each_kind_of_recipe_is_found_and_gives_the_childs_rows(tmp_path: Path) -> None:
    parent = days()
    kind, day = np.arange(4000) % 7, np.arange(4000) // 100
    random = np.random.default_rng(1).permutation(4000)
    strange = pa.table({**days(1).to_pydict(), "id": [-1]}).cast(parent.schema)
    tables = {
        "whole": (parent.select(["kind", "id"]), Project),
        "kinds": (pa.table({"kind": [f"kind{n}" for n in range(7)]}), Distinct),
        "selected": (parent.filter(pa.array((day >= 5) & (day < 20) & (kind == 3))), Select),
        "narrow": (parent.filter(pa.array(kind == 3)).select(["id", "price"]), Select),
        "listed": (parent.take(pa.array(random[:900])), Rows),
        "shrunk": (parent.take(pa.array(random[:3900])), Patch),
        "grown": (pa.concat_tables([parent.filter(pa.array(kind == 2)), strange]), Patch),
    }
    lake = RecipeLake.of(tmp_path, {"parent": parent, **{n: t for n, (t, _) in tables.items()}})
    proposals = streamed(lake, *tables)
    for (name, (rows, sort)), proposal in zip(tables.items(), proposals, strict=True):
        assert isinstance(proposal.recipe, sort), (name, proposal)
        assert lake.rows(name, proposal.recipe, 1 << 16) == counted(rows)
    assert {proposal.passes for proposal in proposals} == {4}


@pytest.mark.parametrize("place", [0, 3000, 3999])
def test_atoms_that_do_for_samples_alone_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr("r2d2.recipes.find.passes.SAMPLE_ROWS", 40)
    monkeypatch.setattr("r2d2.formats.parquet.read.BATCH_ROWS", 500)
    parent = days().to_pydict()
    parent["price"] = [float(n % 7 == 3) for n in range(4000)]
    parent["price"][place] = 1.0
    parent["kind"][place] = "odd"
    kept = [n for n in range(4000) if parent["kind"][n] == "kind3"]
    table = pa.table(parent).select(["id", "price", "day", "kind"])
    child = table.take(pa.array(kept)).select(["id", "price", "kind"])
    lake = RecipeLake.of(tmp_path, {"parent": table, "child": child})
    (found,), in_memory = streamed(lake, "child"), lake.from_parent("child", "parent")
    assert isinstance(found.recipe, Select)
    assert found.recipe == in_memory.recipe
    assert {atom.path for atom in found.recipe.where} == {("kind",)}
    assert found.passes == (1 if place == 0 else 2)
    assert lake.rows("child", found.recipe) == counted(child)


def test_no_pass_looks_for_atoms_that_a_sampled_row_shows_do_not_exist(tmp_path: Path) -> None:
    parent = days()
    kept = pa.array(np.random.default_rng(1).permutation(4000)[:900])
    lake = RecipeLake.of(tmp_path, {"parent": parent, "child": parent.take(kept)})
    (found,) = streamed(lake, "child")
    assert isinstance(found.recipe, Rows)
    assert found.passes == 1


def test_a_search_that_needs_more_memory_than_there_is_reads_in_passes(tmp_path: Path) -> None:
    parent = days()
    kept = pa.array(np.random.default_rng(3).random(4000) < 0.3)
    lake = RecipeLake.of(tmp_path, {"parent": parent, "child": parent.filter(kept)})
    request = Request(lake.tables["parent"], (lake.child("child"),))
    for memory_bytes, has_passes in ((1 << 19, True), (1 << 30, False)):
        counts = RowCounts(lake.storage, Types.STRICT, memory_bytes=memory_bytes)
        (proposal,) = search_one(request, counts)
        assert isinstance(proposal.recipe, Rows)
        assert (proposal.passes > 0) == has_passes


def test_rows_that_are_too_many_to_compare_cost_only_their_child_its_recipe(
    tmp_path: Path,
) -> None:
    parent, random = days(), np.random.default_rng(1).permutation(4000)
    tables = {"many": random[:3000], "few": random[3000:3040], "first": np.arange(1500)}
    children = {name: parent.take(pa.array(rows)) for name, rows in tables.items()}
    lake = RecipeLake.of(tmp_path, {"parent": parent, **children})
    many, few, first = streamed(lake, "many", "few", "first", memory_bytes=1 << 14)
    assert many.recipe is None
    assert "exceed the memory" in many.reason
    assert isinstance(few.recipe, Rows)
    assert isinstance(first.recipe, Select)


def test_a_union_whose_parts_exceed_the_memory_is_refused_with_the_reason(tmp_path: Path) -> None:
    parent = days()
    lake = RecipeLake.of(
        tmp_path, {"whole": parent, "one": parent.slice(0, 1000), "other": parent.slice(1000)}
    )
    request = UnionRequest(lake.tables["whole"], (lake.child("one"), lake.child("other")))
    (refused,) = search_one(request, RowCounts(lake.storage, Types.STRICT, memory_bytes=1 << 16))
    assert refused.recipe is None
    assert "memory" in refused.reason


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(row, min_size=1, max_size=30), st.data())
def test_what_is_found_in_passes_is_exact_and_as_simple(
    parent: list[Row], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(["i", "s", "f"]), min_size=1, unique=True))
    wanted = data.draw(st.sampled_from(parent))
    place = data.draw(st.sampled_from(range(3)))
    kept = data.draw(
        st.one_of(
            st.lists(st.sampled_from(parent), min_size=1, max_size=30),
            st.just([row for row in parent if row[place] == wanted[place]]),
            st.just(parent),
        )
    )
    child = table(kept, names)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"parent": table(parent), "child": child})
        in_memory = lake.from_parent("child", "parent")
        memory_bytes = data.draw(st.sampled_from([600, ROOM]))
        (found,) = streamed(lake, "child", memory_bytes=memory_bytes)
        if found.recipe is not None:
            assert lake.rows("child", found.recipe, memory_bytes) == counted(child)
        simple = (Project, Distinct, Select)
        if isinstance(found.recipe, simple):
            assert isinstance(in_memory.recipe, simple)
        theirs = counted(table(parent).select(names))
        has_partial_rows = any(n < theirs[row] for row, n in counted(child).items())
        # Only in memory is a list of what is left out looked for among floats beside NaN.
        where = in_memory.recipe.where if isinstance(in_memory.recipe, Select) else ()
        is_rare = any(isinstance(atom, NotIn) for atom in where)
        if memory_bytes == ROOM and not has_partial_rows and not is_rare:
            assert isinstance(in_memory.recipe, simple) == isinstance(found.recipe, simple)
