"""A child process answers what it is asked, and ends when nobody waits for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from r2d2.errors import UsageError
from r2d2.processes import ChildProcess

pytestmark = pytest.mark.slow

PROGRAM = """
import os, time
from r2d2.errors import UsageError
from r2d2.processes import answer_requests
def answer(request):
    print("no part of the answer", flush=True)
    for part in request.split(b" "):
        match part:
            case b"refuse":
                raise UsageError("refused")
            case b"die":
                os._exit(7)
            case b"hang":
                time.sleep(60)
        yield part
answer_requests(answer)
"""
Start = Callable[[], ChildProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children, which end with the test."""
    started: list[ChildProcess] = []

    def one() -> ChildProcess:
        started.append(ChildProcess(PROGRAM, silent=True))
        return started[-1]

    yield one
    for child in started:
        child.end()


def test_an_answer_comes_in_parts_and_one_after_the_other(start: Start) -> None:
    child = start()
    assert list(child.ask(b"a b c")) == [b"a", b"b", b"c"]
    assert list(child.ask(b"")) == [b""]
    large = bytes(1 << 20)
    assert list(child.ask(large)) == [large]


def test_an_error_of_ours_is_raised_here_and_the_child_answers_on(start: Start) -> None:
    child = start()
    answer = child.ask(b"a refuse b")
    assert next(answer) == b"a"
    with pytest.raises(UsageError, match=r"^refused$"):
        next(answer)
    assert list(child.ask(b"c")) == [b"c"]


def test_a_child_that_dies_is_an_end_of_file_with_its_status(start: Start) -> None:
    child = start()
    with pytest.raises(EOFError):
        list(child.ask(b"a die"))
    assert child.end(patience_s=10) == 7
    assert not child.is_fit()


def test_a_child_that_waits_ends_by_itself(start: Start) -> None:
    child = start()
    assert list(child.ask(b"a")) == [b"a"]
    assert child.end(patience_s=10) == 0


def test_a_child_that_hangs_ends_with_its_requests_or_at_once_by_a_signal(start: Start) -> None:
    patient, killed = start(), start()
    for child in (patient, killed):
        assert next(child.ask(b"a hang")) == b"a"
    began = time.monotonic()
    assert patient.end(patience_s=30) == 0
    assert killed.end() == -signal.SIGKILL
    assert time.monotonic() - began < 30


def test_other_settings_in_the_environment_ask_for_another_child(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start()
    assert child.is_fit()
    monkeypatch.setitem(os.environ, "R2D2_SOME_SETTING", "1")
    assert not child.is_fit()


def test_a_child_whose_parent_is_killed_ends_by_itself() -> None:
    parent = f"""
import sys
from r2d2.processes import ChildProcess
child = ChildProcess({PROGRAM!r}, silent=True)
assert list(child.ask(b"a")) == [b"a"]
print(child.process.pid, flush=True)
next(child.ask(b"hang"))
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    ended_by = time.monotonic() + 20
    while time.monotonic() < ended_by and is_running(child):
        time.sleep(0.05)
    assert not is_running(child)


def is_running(number: int) -> bool:
    """Whether the process runs; one that only waits to be collected by its parent does not."""
    told = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(number)], capture_output=True, check=False
    )
    return told.stdout.strip() not in (b"", b"Z")
