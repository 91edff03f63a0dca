"""The protocol of deletion loses no row in any order of steps, and each of its guards is needed.

`R2D2_MODEL_VERBS=3` lets one verb more begin: some minutes, and gigabytes.
"""

import os

import pytest

from tests.support.oracle.deletion_protocol import (
    FIRST,
    NEW,
    QUARANTINE,
    Found,
    Guard,
    Mover,
    Protocol,
    State,
)

VERBS = int(os.environ.get("R2D2_MODEL_VERBS", "2"))
RENAME, DELTA = Mover.RENAME, Mover.DELTA
BROKEN_WITHOUT = [
    (RENAME, Guard.NUMBERS),
    (RENAME, Guard.HOLD),
    (RENAME, Guard.RETENTION),
    (RENAME, Guard.EMPTY_PLACE),
    (RENAME, Guard.FSCK),
    (RENAME, Guard.REPLACED),
    (DELTA, Guard.NUMBERS),
    (DELTA, Guard.REREAD),
    (DELTA, Guard.HOLD),
    (DELTA, Guard.OWN_HOLD),
    (DELTA, Guard.HOLD_FIRST),
    (DELTA, Guard.INTENT),
    (DELTA, Guard.VERSION),
    (DELTA, Guard.FENCE_COMMIT),
    (DELTA, Guard.LONG_RETENTION),
    (DELTA, Guard.RETENTION),
    (DELTA, Guard.BY_NAME),
    (DELTA, Guard.COMPARE_BACK),
    (DELTA, Guard.NEW_NAMES),
    (DELTA, Guard.EMPTY_PLACE),
    (DELTA, Guard.STAY),
    (DELTA, Guard.STAY_REBUILT),
    (DELTA, Guard.REBUILD_MARKED),
    (DELTA, Guard.FSCK),
    (DELTA, Guard.REPLACED),
]


# By three verbs, not by two.
LATER = [(RENAME, guard) for guard in (Guard.OWN_HOLD, Guard.BY_NAME, Guard.OWN_QUARANTINE)]


def explored(mover: Mover, *without: Guard, verbs: int = VERBS) -> Found:
    """What two runners find from a table that is there, that was deleted, or was given up."""
    whole, protocol, states = Protocol(mover), Protocol(mover, frozenset(without)), 0
    deleted = whole.alone("apply", FIRST)
    given_up = whole.alone("release", written(whole, deleted))
    for start in (FIRST, deleted, given_up):
        found = protocol.explore(verbs, start)
        states += found.states
        if found.broken:
            return found
    return found._replace(states=states)


def written(protocol: Protocol, state: State) -> State:
    """The state after somebody wrote to the child's place."""
    return after_step(protocol, state, "somebody writes to the child's place")


def after_step(protocol: Protocol, state: State, name: str) -> State:
    """The state after the step of that name."""
    return next(step.after for step in protocol.steps(state, 0) if step.name == name)


@pytest.mark.slow
@pytest.mark.parametrize("mover", Mover)
def test_no_row_is_lost_in_any_order_of_steps(mover: Mover) -> None:
    found = explored(mover)
    assert not found.broken, found.story
    assert found.states > 20_000


@pytest.mark.slow
@pytest.mark.parametrize(("mover", "guard"), BROKEN_WITHOUT)
def test_without_a_guard_some_order_of_steps_breaks_an_invariant(
    mover: Mover, guard: Guard
) -> None:
    assert explored(mover, guard).broken


@pytest.mark.slow
@pytest.mark.parametrize(("mover", "guard"), LATER)
def test_without_a_guard_a_third_verb_breaks_an_invariant(mover: Mover, guard: Guard) -> None:
    assert explored(mover, guard, verbs=3).broken


@pytest.mark.slow
def test_in_two_verbs_comparing_and_purging_by_name_each_keep_what_others_wrote_there() -> None:
    assert not explored(RENAME, Guard.VERIFY).broken
    # A third verb needs this one, too: see LATER.
    assert not explored(RENAME, Guard.BY_NAME, verbs=2).broken
    assert explored(RENAME, Guard.VERIFY, Guard.BY_NAME).broken == "the rows of file n are lost"


@pytest.mark.parametrize("mover", Mover)
def test_undisturbed_a_table_is_deleted_and_comes_back(mover: Mover) -> None:
    protocol = Protocol(mover)
    deleted = protocol.alone("apply", FIRST)
    assert deleted.journal == "TOMBSTONED"
    assert protocol.alone("purge", deleted).journal != "PURGED"
    assert protocol.alone("purge", deleted._replace(aged=True)).journal == "PURGED"
    back = protocol.alone("undo", deleted)
    assert (back.journal, back.files, back.hold) == ("none", FIRST.files, 0)


@pytest.mark.parametrize("mover", Mover)
def test_undisturbed_a_purged_table_is_given_up_and_a_live_owners_table_stays(mover: Mover) -> None:
    protocol = Protocol(mover)
    deleted = protocol.alone("apply", FIRST)
    assert protocol.alone("release", deleted).journal == "TOMBSTONED"
    purged = protocol.alone("purge", deleted._replace(aged=True))
    for state in (purged, written(protocol, deleted)):
        after = protocol.alone("release", state)
        assert (after.journal, after.hold, after.files[NEW]) == ("GIVEN UP", 0, state.files[NEW])


@pytest.mark.parametrize(
    "act", ["somebody writes over the child", "somebody drops the child's folder"]
)
def test_undisturbed_a_marked_table_of_which_nothing_comes_back_is_rebuilt(act: str) -> None:
    protocol = Protocol(DELTA)
    crashed = after_step(protocol, protocol.alone("apply", FIRST, "_verify"), "runner 0 crashes")
    acted = after_step(protocol, crashed, act)
    settled = protocol.alone("undo", acted, "_check")
    assert settled.journal == "TOMBSTONED"
    assert all(place >= QUARANTINE for place in settled.files[:NEW])


def test_undisturbed_a_marked_table_without_parents_is_given_up_for_its_owners() -> None:
    protocol = Protocol(DELTA)
    crashed = after_step(protocol, protocol.alone("apply", FIRST, "_verify"), "runner 0 crashes")
    erased = after_step(protocol, crashed, "the rows are erased, on purpose")
    assert protocol.alone("release", erased).journal != "GIVEN UP"
    acted = after_step(protocol, erased, "somebody writes over the child")
    assert protocol.alone("undo", acted).journal == "MARKED"
    assert protocol.alone("release", acted).journal == "GIVEN UP"
