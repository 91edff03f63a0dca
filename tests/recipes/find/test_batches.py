"""Batches of requests: each request once, neighbours together, none too large."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from r2d2.model import Format, Table
from r2d2.recipes.find.request import TASK_BYTES, ContainedTable, Request, UnionRequest, batches

MEGABYTE = 1 << 20


def table(name: str, megabytes: int = 1) -> Table:
    return Table(name, Format.PARQUET, size_bytes=megabytes * MEGABYTE)


def request(parent: str, *children: str, megabytes: int = 1) -> Request:
    return Request(
        table(parent, megabytes), tuple(ContainedTable(table(child), {}) for child in children)
    )


random_requests = st.lists(
    st.builds(
        lambda names, megabytes: request(*names, megabytes=megabytes),
        st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=4, unique=True),
        st.integers(1, 40),
    ),
    max_size=30,
)


@given(random_requests)
def test_every_request_is_in_one_batch_that_no_task_is_too_small_for(
    requests: Sequence[Request],
) -> None:
    found = batches(requests)
    assert sorted(number for batch in found for number in batch) == list(range(len(requests)))
    for batch in found:
        assert batch == sorted(batch)
        sizes = {t.location: t.size_bytes for n in batch for t in requests[n].tables}
        assert len(batch) == 1 or sum(sizes.values()) <= TASK_BYTES
    assert batches(requests) == found


def test_requests_that_share_a_table_are_read_together() -> None:
    small = [request(f"parent{n}", "x" if n % 2 else "y") for n in range(64)]
    found = batches([*small, UnionRequest(table("parent1"), (ContainedTable(table("x"), {}),))])
    mixed = [batch for batch in found if len({n % 2 for n in batch if n < 64}) > 1]
    assert len(mixed) <= 1


def test_a_large_parent_is_a_task_of_its_own() -> None:
    large = request("large", "a", megabytes=100)
    found = batches([request("p", "a"), large, request("q", "a")])
    assert [1] in found


def test_work_is_cut_for_many_cores_where_each_has_enough_of_it() -> None:
    def pairs(count: int) -> list[Request]:
        return [
            Request(table(f"p{n}", 0), (ContainedTable(table(f"c{n}", 0), {}),))
            for n in range(count)
        ]

    assert [len(batches(pairs(count))) for count in (8, 100, 1000, 9600)] == [1, 1, 10, 64]
