"""Requests for recipes: near-containment is searched, and never taken for containment."""

from dataclasses import replace

from r2d2.model import Column, Edge, Format, Table
from r2d2.plan.requests import recipe_requests, union_requests
from r2d2.recipes.find import SMALLER_PARENT_SERVES

COLUMNS = (("a", "a"),)


def tables(*names: str) -> dict[str, Table]:
    """Tables of 10 rows, each larger than the one before."""
    column = Column("a", "int64", ("a",))
    return {
        name: Table(name, Format.PARQUET, (column,), 10, size_bytes=place)
        for place, name in enumerate(names, 1)
    }


def edge(child: str, parent: str, missing: int = 0, cast: bool = False) -> Edge:
    return Edge(
        *(child, parent, 1.0 - missing / 10, missing, 10, 10, False, "exact"),
        equal_after_cast=cast,
        columns=COLUMNS,
    )


def parents_of(child: str, edges: list[Edge], lake: dict[str, Table]) -> list[str]:
    found = recipe_requests(edges, lake, set(lake)).requests
    return [f.parent.location for f in found if child in {c.table.location for c in f.children}]


def test_a_parent_that_is_nearly_contained_still_counts_as_one_that_nothing_contains() -> None:
    lake = tables("child", "small", "middle", "top", "other")
    whole = [edge("child", name) for name in ("small", "middle", "top")]
    assert parents_of("child", [*whole, edge("top", "other", 1)], lake)[-1] == "top"
    assert "top" not in parents_of("child", [*whole, edge("top", "other")], lake)


def test_tables_that_drift_apart_are_asked_from_the_nearest_and_from_one_for_all() -> None:
    days = [f"day{number}" for number in range(8)]
    near = [
        edge(one, other, abs(place - there))
        for place, one in enumerate(days)
        for there, other in enumerate(days)
        if 0 < abs(place - there) < 6
    ]
    lake = tables(*days)
    assert parents_of("day0", near, lake) == ["day1", "day2", "day3", "day4"]
    assert parents_of("day7", near, lake) == ["day3", "day4", "day5", "day6"]
    assert all(len(parents_of(day, near, lake)) <= 4 for day in days)


def test_near_containment_is_asked_beside_containment() -> None:
    lake = tables("child", "whole", "near")
    edges = [edge("child", "whole"), edge("child", "near", 2)]
    assert parents_of("child", edges, lake) == ["near", "whole"]


def test_a_part_that_is_nearly_contained_is_no_part_of_a_union() -> None:
    lake = tables("one", "two", "year")
    lake["year"] = Table("year", Format.PARQUET, lake["one"].columns, 20, size_bytes=9)
    whole = [edge("one", "year"), edge("two", "year")]
    assert len(union_requests(whole, lake, set(lake))) == 1
    assert union_requests([whole[0], edge("two", "year", 1)], lake, set(lake)) == []


def test_an_edge_after_a_cast_is_searched_though_its_rows_were_counted() -> None:
    one = replace(edge("one", "two"), distinct_rows=10)
    lake = tables("one", "two")
    assert recipe_requests([one], lake, set(lake)).requests == ()
    (request,) = recipe_requests([replace(one, equal_after_cast=True)], lake, set(lake)).requests
    assert [child.table.location for child in request.children] == ["one"]


def test_a_larger_table_that_stays_is_spare_unless_the_smaller_one_may_not_serve() -> None:
    lake = tables("child", "small", "middle", "top", "huge")
    edges = [edge("child", name) for name in ("small", "middle", "top", "huge")]
    edges += [edge("small", "middle"), edge("middle", "top")]
    edges += [edge("small", "huge"), edge("middle", "huge")]
    told = [replace(e, distinct_rows=10 if e.parent == "top" else None) for e in edges]

    def parents(edges: list[Edge], tenants: dict[str, str]) -> list[str]:
        found = recipe_requests(edges, lake, set(lake), tenants.get).requests
        return [f.parent.location for f in found if lake["child"] in [c.table for c in f.children]]

    assert parents(told, {}) == ["middle", "small"]
    assert parents(told, {"top": "theirs"}) == ["huge", "middle", "small"]
    found = recipe_requests(told, lake, set(lake))
    assert found.refused == {SMALLER_PARENT_SERVES: 1}
    assert {(copy.child, copy.parent) for copy in found.copies} >= {("child", "top")}
    lake |= tables("other")
    assert parents([*told, edge("top", "other", missing=1)], {}) == ["huge", "middle", "small"]
    del lake["other"]
    lake["top"] = replace(lake["top"], rows=20)  # small and middle together, it may be
    assert [union.table.location for union in recipe_requests(told, lake, set(lake)).unions] == [
        "top"
    ]
    assert parents(told, {}) == ["huge", "middle", "small"]
