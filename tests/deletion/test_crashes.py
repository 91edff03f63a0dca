"""A verb that is killed at any of its steps, or meets an error there, loses nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deletion.crashes import Forks, Prepared

pytestmark = pytest.mark.slow
EVERY = int(os.environ.get("R2D2_CRASH_EVERY", "29"))
"""Of the steps of a verb every so many is one at which it is killed; 1 is all of them."""
ERRORS = ("EIO", "ENOSPC", "EACCES")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """A server of forks."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Prepared:
    """The lake in each state."""
    return Prepared(tmp_path_factory.mktemp("crashes"), forks)


@pytest.mark.parametrize("verb", ["apply", "undo", "purge", "rebuild"])
def test_a_verb_killed_at_any_step_loses_nothing(prepared: Prepared, verb: str) -> None:
    fired = 0
    for step in range(0, prepared.counts[verb], EVERY):
        prepared.begin(verb)
        told = prepared(verb, step=step)
        fired += told["killed"]
        prepared.check_nothing_is_lost()
    assert fired == len(range(0, prepared.counts[verb], EVERY))


@pytest.mark.parametrize("verb", ["apply", "purge"])
def test_a_recovery_that_is_killed_too_loses_nothing(prepared: Prepared, verb: str) -> None:
    fired = 0
    for step in range(1, prepared.counts[verb], 7 * EVERY):
        for again in range(0, 1000, 5 * EVERY):
            prepared.begin(verb)
            assert prepared(verb, step=step)["killed"]
            if not prepared("fsck", step=again)["killed"]:
                break
            fired += 1
            prepared.check_nothing_is_lost()
    assert fired


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("verb", ["apply", "undo", "purge", "rebuild"])
def test_no_step_that_destroys_follows_an_error(prepared: Prepared, verb: str, error: str) -> None:
    fired = 0
    for step in range(ERRORS.index(error), prepared.counts[verb], 4 * EVERY):
        prepared.begin(verb)
        told = prepared(verb, step=step, fault=error)
        log = [tuple(each) for each in told["log"]]
        places = [place for place, (call, _) in enumerate(log) if call == "fault"]
        fired += len(places)
        for call, names in log[places[0] :] if places else ():
            assert not destroys(prepared.lake, call, names), (step, call, names)
        prepared.check_nothing_is_lost()
    assert fired


def destroys(lake: Path, call: str, names: str) -> bool:
    """Whether a step takes a table's file away from its place, or from quarantine."""
    first = names.split(" ")[0]
    of_table = f"{lake}/_r2d2/quarantine/" in first or f"{lake}/_r2d2/" not in first
    is_scratch = str(lake) not in first or "/.r2d2-" in first or Path(first).name.startswith(".")
    is_note = first.endswith(".deleted-by-r2d2.json")
    takes = call in ("rename", "rename_new", "replace", "unlink")
    return takes and of_table and not is_scratch and not is_note
