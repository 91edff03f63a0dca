"""Bundles: every family once, neighbours together, none too large."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from r2d2.model import Format, Table
from r2d2.recipes.find.request import TASK_BYTES, ContainedTable, Request, UnionRequest, batches

MEGABYTE = 1 << 20


def table(name: str, megabytes: int = 1) -> Table:
    return Table(name, Format.PARQUET, size_bytes=megabytes * MEGABYTE)


def family(parent: str, *children: str, megabytes: int = 1) -> Request:
    return Request(
        table(parent, megabytes), tuple(ContainedTable(table(child), {}) for child in children)
    )


families = st.lists(
    st.builds(
        lambda names, megabytes: family(*names, megabytes=megabytes),
        st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=4, unique=True),
        st.integers(1, 40),
    ),
    max_size=30,
)


@given(families)
def test_every_family_is_in_one_bundle_that_no_task_is_too_small_for(
    asked: Sequence[Request],
) -> None:
    found = batches(asked)
    assert sorted(number for bundle in found for number in bundle) == list(range(len(asked)))
    for bundle in found:
        assert bundle == sorted(bundle)
        sizes = {t.location: t.size_bytes for n in bundle for t in asked[n].tables}
        assert len(bundle) == 1 or sum(sizes.values()) <= TASK_BYTES
    assert batches(asked) == found


def test_families_that_share_a_table_are_read_together() -> None:
    one = [family(f"parent{n}", "x" if n % 2 else "y") for n in range(64)]
    found = batches([*one, UnionRequest(table("parent1"), (ContainedTable(table("x"), {}),))])
    mixed = [bundle for bundle in found if len({n % 2 for n in bundle if n < 64}) > 1]
    assert len(mixed) <= 1


def test_a_large_parent_is_a_task_of_its_own() -> None:
    large = family("large", "a", megabytes=100)
    found = batches([family("p", "a"), large, family("q", "a")])
    assert [1] in found


def test_work_is_cut_for_many_cores_where_each_has_enough_of_it() -> None:
    def pairs(count: int) -> list[Request]:
        return [
            Request(table(f"p{n}", 0), (ContainedTable(table(f"c{n}", 0), {}),))
            for n in range(count)
        ]

    assert [len(batches(pairs(count))) for count in (8, 100, 1000, 9600)] == [1, 1, 10, 64]
