"""Bundles answered by processes side by side: as by one alone, whatever happens to the others."""

import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.engines.local import recipes as local_workers
from r2d2.engines.local.recipes import (
    LocalRecipes,
    Proposals,
    RecipeWorker,
    RequestBatch,
    _Shares,
    search_in_processes,
)
from r2d2.errors import R2D2Error, UsageError
from r2d2.model import Types
from r2d2.processes import ChildProcess
from r2d2.recipes.find import search
from r2d2.recipes.find.request import TASK_BYTES, Proposal, Request, UnionRequest
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.settings.find import Settings
from tests.support.recipes.recipe_lake import RecipeLake

Plant: TypeAlias = Callable[[str], None]
Started: TypeAlias = "list[subprocess.Popen[bytes]]"
BUNDLES = 5
NAMES = ("whole", "head", "tail")
DIES_AT_ONCE = "import os; os._exit(9)"
LOST = "the process that looked for its recipes ended with status 9"


def before_each_answer(fault: str) -> str:
    """The program of a process that answers as it should, but for this before each answer."""
    return f"""
import os, time
from r2d2.engines.local import recipes as worker
from r2d2.errors import UsageError
asked, sound = [], worker.search
def answer(bundle, counts):
    asked.append(bundle)
    {fault}
    return sound(bundle, counts)
worker.search = answer
worker.serve()
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> RecipeLake:
    """Tables, each with its head and its tail beside it."""
    tables: dict[str, pa.Table] = {}
    for number in range(BUNDLES):
        rows = pa.table({"a": range(number, number + 9), "b": list("abcdefghi")})
        parts = (rows, rows.slice(0, 4), rows.slice(4))
        tables |= {f"{name}{number}": part for name, part in zip(NAMES, parts, strict=True)}
    return RecipeLake.of(tmp_path_factory.mktemp("workers"), tables)


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Has others started for any work, which run the program given."""

    def planted(program: str) -> None:
        monkeypatch.setattr(local_workers, "WORTHWHILE_TABLES", 1)
        monkeypatch.setattr(local_workers, "_PROGRAM", program)

    return planted


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, this process holds its first answer back: the others give all the rest."""
    gate = threading.Event()

    def held(bundle: RequestBatch, counts: RowCounts) -> Proposals:
        assert gate.wait(30)
        return search(bundle, counts)

    monkeypatch.setattr(local_workers, "search", held)
    yield gate
    gate.set()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes that are started."""
    found: Started = []
    start = RecipeWorker._started

    def noted(worker: RecipeWorker) -> ChildProcess:
        child = start(worker)
        found.append(child.process)
        return child

    monkeypatch.setattr(RecipeWorker, "_started", noted)
    return found


def bundle(lake: RecipeLake, number: int) -> RequestBatch:
    """A table, from which both of its parts are wanted and which is wanted from both."""
    whole, head, tail = (f"{name}{number}" for name in NAMES)
    parts = (lake.child(head), lake.child(tail))
    return [Request(lake.tables[whole], parts), UnionRequest(lake.tables[whole], parts)]


def bundles(lake: RecipeLake) -> list[RequestBatch]:
    return [bundle(lake, number) for number in range(BUNDLES)]


def by_one(lake: RecipeLake) -> list[Proposal]:
    """What is proposed where one process answers everything."""
    counts = RowCounts(lake.storage, Types.STRICT)
    return in_order([search(bundle, counts) for bundle in bundles(lake)])


def in_order(found: list[Proposals]) -> list[Proposal]:
    return sorted((p for answer in found for p in answer), key=attrgetter("child", "parents"))


def by_others(lake: RecipeLake, gate: threading.Event, most: int = 2) -> list[Proposals]:
    """The answers, all but the last of the other processes."""
    coming = search_in_processes(lake.storage, Types.STRICT, bundles(lake), most)
    found = [next(coming) for _ in range(BUNDLES - 1)]
    gate.set()
    return [*found, *coming]


def join_all_but(before: set[threading.Thread]) -> None:
    """Waits for the threads that were started since."""
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("threshold", ["WORTHWHILE_TABLES", "WORTHWHILE_BYTES"])
def test_several_processes_propose_what_one_does(
    lake: RecipeLake,
    gate: threading.Event,
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    threshold: str,
) -> None:
    monkeypatch.setattr(local_workers, threshold, 1)
    found = in_order(by_others(lake, gate, most=3))
    assert found == by_one(lake)
    assert len(found) == 3 * BUNDLES
    assert all(proposal.recipe is not None for proposal in found)
    assert len(started) == 2


def test_a_little_work_starts_no_process(lake: RecipeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a process is started")

    monkeypatch.setattr(local_workers, "RecipeWorker", refused)
    every = bundles(lake)
    assert in_order(list(search_in_processes(lake.storage, Types.STRICT, every, 8))) == by_one(lake)
    engine = LocalRecipes(lake.storage, Settings(threads=8))
    families = [family for bundle in every for family in bundle]
    assert in_order([list(engine.propose(families))]) == by_one(lake)
    monkeypatch.setattr(local_workers, "WORTHWHILE_TABLES", 1)
    assert list(search_in_processes(lake.storage, Types.STRICT, every[:1], 8))
    assert list(search_in_processes(lake.storage, Types.STRICT, every, 1))
    assert list(search_in_processes(lake.storage, Types.STRICT, [], 8)) == []


@pytest.mark.parametrize(
    ("program", "bundles_lost", "starts"),
    [
        (DIES_AT_ONCE, 4, 1 + 4 * 3),
        (before_each_answer("len(asked) < 2 or os._exit(9)"), 0, 1 + 3),
        (before_each_answer("any('whole1' in str(r) for r in bundle) and os._exit(9)"), 1, 1 + 4),
    ],
    ids=["at once", "after an answer", "at one table"],
)
def test_a_process_that_dies_loses_what_it_dies_of_and_another_takes_its_place(
    lake: RecipeLake,
    gate: threading.Event,
    plant: Plant,
    started: Started,
    program: str,
    bundles_lost: int,
    starts: int,
) -> None:
    plant(program)
    found = by_others(lake, gate)
    lost = [answer for answer in found if answer[0].reason]
    assert (len(found), len(lost), len(started)) == (BUNDLES, bundles_lost, starts)
    for answer in lost:
        (parents,) = {proposal.parents for proposal in answer}
        children = [parents[0].replace("whole", name) for name in ("head", "tail")]
        assert answer == [Proposal(name, parents, None, 0, LOST) for name in children]
    expected = [p for p in by_one(lake) if not any(p.child in str(answer) for answer in lost)]
    assert in_order([answer for answer in found if answer not in lost]) == expected


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("raise UsageError('no such table')", UsageError, r"^no such table$"),
        ("raise KeyError('gone')", R2D2Error, r"^KeyError\('gone'\)$"),
    ],
)
def test_what_goes_wrong_in_a_process_is_raised_by_who_asked(
    lake: RecipeLake,
    gate: threading.Event,
    plant: Plant,
    started: Started,
    fault: str,
    kind: type[R2D2Error],
    message: str,
) -> None:
    plant(before_each_answer(fault))
    with pytest.raises(R2D2Error, match=message) as raised:
        by_others(lake, gate)
    assert raised.type is kind
    assert [process.poll() is None for process in started] == [False]


def test_where_no_more_processes_can_be_started_fewer_answer(
    lake: RecipeLake, plant: Plant, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = RecipeWorker._started

    def one_only(worker: RecipeWorker) -> ChildProcess:
        if started:
            raise BlockingIOError(11, "no more processes")
        return start(worker)

    monkeypatch.setattr(RecipeWorker, "_started", one_only)
    monkeypatch.setattr(local_workers, "WORTHWHILE_TABLES", 1)
    assert in_order(
        list(search_in_processes(lake.storage, Types.STRICT, bundles(lake), 4))
    ) == by_one(lake)
    assert len(started) == 1


def test_a_process_that_ended_before_it_is_asked_is_a_reason_too(
    lake: RecipeLake, plant: Plant, started: Started
) -> None:
    plant(DIES_AT_ONCE)
    worker = RecipeWorker(lake.storage, Types.STRICT)
    started[0].wait(30)
    assert [proposal.reason for proposal in worker.answer(bundle(lake, 0))] == [LOST, LOST]
    worker.end()
    assert [process.poll() is None for process in started] == [False] * 4


def test_who_leaves_early_ends_the_processes_and_no_more_is_answered(
    lake: RecipeLake,
    gate: threading.Event,
    plant: Plant,
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_out: list[int] = []
    following = _Shares._next

    def noted(shares: _Shares, process: int) -> int | None:
        number = following(shares, process)
        given_out.extend([] if number is None else [number])
        return number

    monkeypatch.setattr(_Shares, "_next", noted)
    plant(before_each_answer("len(asked) < 2 or time.sleep(20)"))
    before = set(threading.enumerate())
    coming = search_in_processes(lake.storage, Types.STRICT, bundles(lake), 2)
    next(coming)
    assert [process.poll() for process in started] == [None]
    assert isinstance(coming, Generator)
    coming.close()
    gate.set()
    join_all_but(before)
    assert [process.poll() for process in started] == [-9]
    assert len(given_out) <= 3 < BUNDLES


def test_a_process_that_takes_the_place_of_another_while_who_asked_leaves_is_ended_too(
    lake: RecipeLake, plant: Plant, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, again, left = RecipeWorker._started, threading.Event(), threading.Event()

    def late(worker: RecipeWorker) -> ChildProcess:
        if started:
            again.set()
            assert left.wait(30)
        return start(worker)

    monkeypatch.setattr(RecipeWorker, "_started", late)
    plant(DIES_AT_ONCE)
    before = set(threading.enumerate())
    coming = search_in_processes(lake.storage, Types.STRICT, bundles(lake), 2)
    next(coming)
    assert again.wait(30)
    assert isinstance(coming, Generator)
    coming.close()
    plant("import time; time.sleep(20)")
    left.set()
    join_all_but(before)
    assert [process.poll() for process in started] == [9, -9]


def test_a_process_that_nobody_asks_any_more_ends_in_the_middle_of_its_answer(
    lake: RecipeLake, plant: Plant, started: Started, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    plant(before_each_answer(f"open({str(begun)!r}, 'w').close(); time.sleep(60)"))
    worker = RecipeWorker(lake.storage, Types.STRICT)
    asking = threading.Thread(target=worker.answer, args=(bundle(lake, 0),))
    asking.start()
    while not begun.exists():
        time.sleep(0.01)
    worker._ended = True
    stdin = started[0].stdin
    assert stdin is not None
    stdin.close()
    assert started[0].wait(10) == 0
    asking.join(10)
    worker.end()


def test_what_a_library_prints_is_no_part_of_an_answer(
    lake: RecipeLake, gate: threading.Event, plant: Plant, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(before_each_answer("print('from Python', flush=True); os.write(1, b'from C')"))
    assert in_order(by_others(lake, gate)) == by_one(lake)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("from Python") == printed.err.count("from C") == BUNDLES - 1


SIZE = st.one_of(st.integers(0, 99), st.just(TASK_BYTES), st.integers(0, 3 * TASK_BYTES))
SIZES = st.lists(SIZE, max_size=40)
TURNS = st.lists(st.integers(0, 4), max_size=80)


def taken(ways: Sequence[Iterator[int]], turns: Sequence[int]) -> list[int]:
    """The bundles' numbers as they come: in these turns, and then one process after the other."""
    found = [next(ways[turn % len(ways)], None) for turn in turns]
    return [number for number in (*found, *chain(*ways)) if number is not None]


@given(SIZES, st.integers(1, 5), TURNS)
def test_in_whatever_order_processes_ask_each_bundle_comes_once_and_the_largest_first(
    sizes: list[int], processes: int, turns: list[int]
) -> None:
    shares = _Shares(sizes, processes)
    ways = [shares.of(process) for process in range(processes)]
    found = taken(ways, turns)
    assert sorted(found) == list(range(len(sizes)))
    large = sorted((size for size in sizes if size > TASK_BYTES), reverse=True)
    assert [sizes[number] for number in found[: len(large)]] == large


@given(SIZES, st.integers(2, 5), TURNS, st.integers(0, 4))
def test_a_process_that_never_asks_keeps_no_bundle_from_the_others(
    sizes: list[int], processes: int, turns: list[int], silent: int
) -> None:
    shares = _Shares(sizes, processes)
    ways = [shares.of(place) for place in range(processes) if place != silent % processes]
    assert sorted(taken(ways, turns)) == list(range(len(sizes)))


@given(SIZES, st.integers(1, 5), TURNS)
def test_after_the_end_no_bundle_comes(sizes: list[int], processes: int, turns: list[int]) -> None:
    shares = _Shares(sizes, processes)
    ways = [shares.of(process) for process in range(processes)]
    for turn in turns:
        next(ways[turn % processes], None)
    shares.end()
    assert taken(ways, turns) == []


def test_each_process_has_neighbours_and_then_the_last_of_who_has_most_left() -> None:
    shares = _Shares([1] * 9, 3)
    ways = [shares.of(process) for process in range(3)]
    assert [next(way) for way in ways] == [0, 4, 7]
    assert list(ways[2]) == [8, 3, 2, 6, 1, 5]
