"""A runner that sleeps at any step while another takes its place does no harm when it wakes."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deletion.crashes import Forks, Prepared

pytestmark = pytest.mark.slow
EVERY = int(os.environ.get("R2D2_PAUSE_EVERY", "97"))
"""Of the steps of a verb every so many is one at which it sleeps; 1 is all of them."""
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def runners() -> Iterator[tuple[Forks, Forks]]:
    """Two runners."""
    both = Forks(), Forks()
    yield both
    for each in both:
        each.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, runners: tuple[Forks, Forks]) -> Prepared:
    """The lake in each state."""
    return Prepared(tmp_path_factory.mktemp("pauses"), runners[1])


def asleep(pid_file: Path) -> int:
    """The process that wrote its number there, once it sleeps; 0 where it has ended."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if pid_file.exists() and (text := pid_file.read_text(encoding="ascii")):
            stat = Path(f"/proc/{text}/stat")
            state = stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
            if state in "TZ":
                return int(text) if state == "T" else 0
        time.sleep(0.002)
    raise AssertionError("the runner neither slept nor ended")


@pytest.mark.parametrize("other", ["fsck", "undo", "purge", "apply"])
@pytest.mark.parametrize("verb", ["apply", "undo", "purge"])
def test_a_sleeping_runner_whose_place_was_taken_does_no_harm(
    prepared: Prepared, runners: tuple[Forks, Forks], verb: str, other: str, tmp_path: Path
) -> None:
    slept = 0
    for step in range(len(other), prepared.counts[verb], EVERY):
        prepared.begin(verb)
        pid_file = tmp_path / f"pid {step}"
        about = {"step": step, "fault": "pause", "pid_file": str(pid_file)}
        runners[0].start(prepared.lake, prepared.run, verb, **about)
        pid = asleep(pid_file)
        try:
            told = prepared(other, takes_over=True, planned=False)
        finally:
            os.kill(pid, signal.SIGCONT)
        woken = runners[0].finish()
        slept += 1
        if "steps" in told and "steps" in woken:
            # Both ended well: the one began after the other had released its lease, or before.
            moved = [each for each in told["steps"] + woken["steps"] if "again=False" in each]
            assert len(moved) == len(set(moved))
        prepared.check_nothing_is_lost()
    assert slept
