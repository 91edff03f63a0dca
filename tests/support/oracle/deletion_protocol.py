"""A model of deletion: one child, one parent, two runners that crash or pause, and other people.

The child is two files, `a` and `b`, whose rows the parent has; somebody may write a third, `n`, at
any time: of a Delta table beside the two, or, where it is marked, over them or after a drop.
`explore` visits every state that any order of steps can reach and returns the shortest story that
breaks an invariant. Each guard of the protocol can be removed. A runner that pauses is one whose
next step comes late; its lease may end meanwhile. A crash ends a runner between steps. What a step
reads and what it then does are two steps, but for what a store does as one: a rename, a commit at
an exact version, a numbered journal record, which is refused where that number is there.

The protocol is that of docs/decisions/0012. Every verb begins with fsck. `apply`: hold the parent,
read, journal MARKED, move, compare with a rebuild, journal TOMBSTONED. `undo`: journal MARKED, move
back, compare, journal none, release. `purge`: check, journal PURGING, delete by name, journal
PURGED. `release`: where the files are purged, or their owner has others in their place, journal
GIVEN UP, release. Then the owner needs no purged rows, and moved ones until the retention is over
once more; Delta's removed files are left to the owner's VACUUM.

fsck puts a marked table back, a Delta table only where it may be beside what its owner wrote: else
it is rebuilt into quarantine, and stays deleted. So does one whose files are gone.

Assumed: a store keeps what it acknowledged, and refuses deletes of a held parent; Delta's removed
files stay longer than the retention and the longest apply together.
"""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

PLANNED = (0, 1)
NEW = 2
# Where a file is; from QUARANTINE on in the quarantine of a runner, by the number of its lease.
# RESTORED is live under a new name, REMOVED_AGAIN was that; DROPPED went with the child's folder.
GONE, LIVE, REMOVED, RESTORED, REMOVED_AGAIN, MISPLACED, DROPPED, QUARANTINE = range(8)
NONE, MARKED, TOMBSTONED, PURGING, PURGED = "none", "MARKED", "TOMBSTONED", "PURGING", "PURGED"
GIVEN_UP = "GIVEN UP"
Files = tuple[int, int, int]


class Mover(Enum):
    """How a table leaves its place."""

    RENAME = "its folder is renamed into quarantine"
    DELTA = "a commit removes its files, which stay until they are purged"


class Guard(Enum):
    """What keeps rows from being lost, in the protocol's words."""

    LEASE = "one runner at a time holds the lease"
    NUMBERS = "a journal record is refused where others wrote one since"
    REREAD = "child and parent are as planned when they are marked"
    HOLD = "a held parent refuses deletes"
    OWN_HOLD = "a hold belongs to one deletion, and nobody else releases it"
    HOLD_FIRST = "the parent is held before it is read"
    INTENT = "the journal says what will be done before it is done"
    VERSION = "Delta's commits are at exactly the version that was read"
    FENCE_COMMIT = "who takes over a marked Delta table commits, so that an older delete fails"
    LONG_RETENTION = "Delta's delete sets how long removed files stay"
    VERIFY = "what was moved is compared with a rebuild before the tombstone"
    RETENTION = "only what was tombstoned for the retention is purged"
    PURGE_CHECK = "a purge looks at the parent, and for rows at the old place"
    BY_NAME = "a purge deletes the journalled files, not all that lies there"
    OWN_QUARANTINE = "who takes over renames quarantine, so that older names lead nowhere"
    EMPTY_PLACE = "files come back only to a place where nothing is that they must not be beside"
    STAY = "a marked Delta table stays deleted where its owner wrote what it must not be beside"
    STAY_REBUILT = "it is rebuilt into quarantine then: its removed files stay not long enough"
    REBUILD_MARKED = "a marked table whose files are gone is rebuilt before its mark goes"
    COMPARE_BACK = "undo compares before it releases the parent"
    NEW_NAMES = "once a purge began, Delta's files are restored under new names"
    FSCK = "each verb begins with fsck"
    REPLACED = "what is in quarantine is given up only where its owner has other files in its place"


class Runner(NamedTuple):
    """What a runner does next, and what it saw: the journal's last number, the child's version."""

    verb: str = ""
    step: str = ""
    seen: int = 0
    lease: int = 0
    version: int = 0
    purge_began: bool = False
    knows_new_names: bool = False


class State(NamedTuple):
    """All there is: the child's files, the parent, the journal, the lease, the runners.

    `foreign`: what somebody writes, or wrote last, at a Delta child's place is another table.
    """

    files: Files = (LIVE, LIVE, GONE)
    version: int = 0
    parent: bool = True
    hold: int = 0
    journal: str = NONE
    number: int = 0
    recipe: bool = False
    aged: bool = False
    protected: bool = False
    outlived: bool = False
    purge_began: bool = False
    replaced: bool = False
    foreign: bool = False
    holder: int = -1
    leases: int = 0
    wanted: tuple[bool, bool, bool] = (True, True, False)
    runners: tuple[Runner, Runner] = (Runner(), Runner())


FIRST = State()


class Step(NamedTuple):
    """A step's name, and the state after it."""

    name: str
    after: State


class Found(NamedTuple):
    """The states that were visited, and the shortest story that breaks an invariant, if any."""

    states: int
    broken: str = ""
    story: tuple[str, ...] = ()


def in_quarantine(place: int) -> bool:
    """Whether a file in that place can be moved back."""
    return place in (REMOVED, REMOVED_AGAIN) or place >= QUARANTINE


def is_live(place: int) -> bool:
    """Whether readers of the child see the file."""
    return place in (LIVE, RESTORED)


def broken(state: State) -> str:
    """The invariant that the state breaks, "" where all hold."""
    missing = [
        number
        for number, place in enumerate(state.files)
        if state.wanted[number] and place in (GONE, MISPLACED, DROPPED)
    ]
    if any(number == NEW or not (state.parent and state.recipe) for number in missing):
        return f"the rows of file {'abn'[missing[-1]]} are lost"
    missing = [number for number in missing if state.files[number] != DROPPED]
    if missing and state.journal in (TOMBSTONED, PURGING, PURGED, GIVEN_UP) and not state.aged:
        return "quarantine does not outlive the retention"
    return ""


class Protocol:
    """The protocol with one mover, and without some of its guards."""

    def __init__(self, mover: Mover, without: frozenset[Guard] = frozenset()) -> None:
        self.mover = mover
        self.without = without

    def has(self, guard: Guard) -> bool:
        """Whether the guard stands."""
        return guard not in self.without

    def explore(self, verbs: int, start: State = FIRST) -> Found:
        """Visits every state from the start on in which so many verbs begin, nearest first."""
        before: dict[State, tuple[State, str] | None] = {start: None}
        seen = {start}
        queue = deque(seen)
        verbs += start.leases
        while queue:
            state = queue.popleft()
            if reason := broken(state) or self._unsettled(state):
                return Found(len(before), reason, _story(before, state))
            for name, after in self.steps(state, verbs):
                if (either := _either(after)) not in seen:
                    seen.add(either)
                    before[after] = state, name
                    queue.append(after)
        return Found(len(before))

    def steps(self, state: State, verbs: int) -> Iterator[Step]:
        """Everything that may happen next."""
        yield from self._others(state)
        for number, runner in enumerate(state.runners):
            who = f"runner {number}"
            if runner.verb:
                yield Step(f"{who} crashes", _with(state, number, Runner()))
                does = getattr(self, f"_{runner.step}")
                for name, after in does(state, number, runner):
                    yield Step(f"{who} {name}", after)
            elif state.leases < verbs and (state.holder < 0 or not self.has(Guard.LEASE)):
                for verb in ("apply", "undo", "purge", "release"):
                    yield Step(f"{who} begins {verb}", self._begun(state, number, verb))

    def _unsettled(self, state: State) -> str:
        """Why the next verb's fsck does not settle what no runner works on, "" where it does.

        Settled: the files are live, or their journal says that they are not. A person is asked
        where somebody wrote in a renamed folder's place, or the parent does not give rows back.
        """
        if any(runner.verb for runner in state.runners):
            return ""
        state = self.alone("undo", state._replace(holder=-1), "_check")
        runner = state.runners[0]
        gone = [n for n in PLANNED if not is_live(state.files[n]) and state.wanted[n]]
        told = state.journal in (TOMBSTONED, PURGED, GIVEN_UP)
        must_leave = self.mover is Mover.RENAME and is_live(state.files[NEW])
        person = not runner.verb and (must_leave or not state.parent)
        return "fsck does not settle what was left" if gone and not told and not person else ""

    def alone(self, verb: str, state: State, until: str = "") -> State:
        """The state after a verb that nobody disturbs, or before its step of that ending."""
        state = self._begun(state, 0, verb)
        while (runner := state.runners[0]).verb and not (until and runner.step.endswith(until)):
            _, state = next(getattr(self, f"_{runner.step}")(state, 0, runner))
        return state

    def _others(self, state: State) -> Iterator[Step]:
        if not state.wanted[NEW] and not state.foreign:
            files = _placed(state.files, {NEW: LIVE})
            after = state._replace(files=files, version=state.version + 1)
            wanted = (*state.wanted[:2], True)
            yield Step("somebody writes to the child's place", after._replace(wanted=wanted))
        if state.parent and not (state.hold and self.has(Guard.HOLD)):
            yield Step("the parent's owner deletes its rows", state._replace(parent=False))
        if state.parent and state.wanted[0]:
            after = state._replace(parent=False, wanted=(False, False, state.wanted[NEW]))
            yield Step("the rows are erased, on purpose", after)
        removed = [n for n, p in enumerate(state.files) if p in (REMOVED, REMOVED_AGAIN)]
        if self.mover is Mover.DELTA:
            yield from self._owner(state, removed)
        if removed and (state.outlived or not state.protected):
            gone = dict.fromkeys(removed, GONE)
            yield Step(
                "somebody vacuums the child", state._replace(files=_placed(state.files, gone))
            )
        if state.journal in (TOMBSTONED, GIVEN_UP) and not state.aged:
            after = state._replace(aged=True)
            if state.journal == GIVEN_UP and state.replaced:
                after = _needless(after)
            yield Step("the retention passes", after)
        elif removed and not state.outlived and not self._is_applied(state):
            yield Step("removed files may be vacuumed", state._replace(outlived=True))
        if state.holder >= 0:
            yield Step("the lease ends", state._replace(holder=-1))

    def _owner(self, state: State, removed: list[int]) -> Iterator[Step]:
        """Somebody writes over a marked Delta child that is removed, or drops its folder, once.

        In other states a write over it does what one beside it does: undo and purge refuse.
        """
        removed = removed if state.journal == MARKED else []
        after = state._replace(version=state.version + 1, foreign=True)
        if (removed or state.foreign) and not state.wanted[NEW]:
            wrote = after._replace(files=_placed(state.files, {NEW: LIVE}))
            wanted = (*state.wanted[:2], True)
            yield Step("somebody writes over the child", wrote._replace(wanted=wanted))
        if removed and not state.wanted[NEW] and not state.foreign:
            gone = _placed(state.files, dict.fromkeys(removed, DROPPED))
            yield Step("somebody drops the child's folder", after._replace(files=gone))

    def _is_applied(self, state: State) -> bool:
        """Whether a runner is between its move and its tombstone: not so long, as is assumed."""
        return any(r.step in ("apply_verify", "apply_tombstone") for r in state.runners)

    def _begun(self, state: State, number: int, verb: str) -> State:
        """The lease is taken, which is a record of the journal."""
        after = state._replace(holder=number, leases=state.leases + 1, number=state.number + 1)
        step = "fsck" if self.has(Guard.FSCK) else f"{verb}_check"
        return _with(after, number, Runner(verb, step, after.number, after.leases, after.version))

    # fsck: it looks, does one thing, and looks again.

    def _fsck(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        runner = runner._replace(version=state.version, purge_began=state.purge_began)
        mine = self._label(runner)
        older = any(QUARANTINE <= place < mine for place in state.files)
        moved = any(self._may_move(place, runner) for place in state.files)
        asked = "release_check" if runner.verb == "release" else ""
        if older:
            step = "fsck_take"
        elif self._lost(state) and self._is_rebuilt(state):
            step = "fsck_rebuild" if state.recipe and state.parent else asked
        elif moved and self._is_blocked(state) and state.journal == MARKED and self.has(Guard.STAY):
            step = "fsck_rebuild" if state.parent else asked
        elif moved and state.journal in (NONE, MARKED):
            step = "back_then_fsck"
        elif state.journal == MARKED:
            is_delta = self.mover is Mover.DELTA and self.has(Guard.FENCE_COMMIT)
            step = "fsck_fence" if is_delta else "fsck_unmark"
        elif state.journal == PURGING:
            step = "fsck_tombstone"
        elif state.journal == NONE and state.hold:
            step = "fsck_release"
        else:
            step = f"{runner.verb}_check"
        if not step:
            yield Step("stops for a person", _with(state, number, Runner()))
            return
        yield Step("looks", _with(state, number, runner._replace(step=step)))

    def _fsck_take(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        mine = self._label(runner)
        a, b, n = (mine if QUARANTINE <= place < mine else place for place in state.files)
        yield Step("takes quarantine over", self._again(state._replace(files=(a, b, n)), number))

    def _lost(self, state: State) -> list[int]:
        """The planned files that are nowhere, though somebody needs them."""
        return [n for n in PLANNED if state.files[n] in (GONE, DROPPED) and state.wanted[n]]

    def _is_rebuilt(self, state: State) -> bool:
        """Whether fsck rebuilds what is lost of the child in this state of its deletion."""
        if state.journal == MARKED:
            return self.has(Guard.REBUILD_MARKED)
        return state.journal not in (PURGED, GIVEN_UP)

    def _is_blocked(self, state: State) -> bool:
        """Whether the child must not come back beside what is at its place."""
        if self.mover is Mover.DELTA:
            return state.foreign and is_live(state.files[NEW])
        return any(map(is_live, state.files))

    def _fsck_rebuild(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if state.parent:
            yield self._to("rebuilds", state, number, "fsck_rebuilt")
        else:
            yield Step("stops for a person", _with(state, number, Runner()))

    def _fsck_rebuilt(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        """What was rebuilt counts from the record on that tells of it."""
        if self._may_journal(state, runner):
            began = state.purge_began or state.journal == PURGING
            state = state._replace(purge_began=began)
            if self._lost(state) or self.has(Guard.STAY_REBUILT):
                rebuilt = {n: self._label(runner) for n in PLANNED if state.wanted[n]}
                state = state._replace(files=_placed(state.files, rebuilt))
        yield from self._journal(state, number, TOMBSTONED, "fsck")

    def _fsck_fence(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if state.version != runner.version and self.has(Guard.VERSION):
            yield Step("its commit conflicts", self._again(state, number))
            return
        after = state._replace(version=state.version + 1)
        yield Step("fences", _with(after, number, runner._replace(step="fsck_unmark")))

    def _fsck_unmark(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state, number, NONE, "fsck")

    def _fsck_tombstone(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state._replace(purge_began=True), number, TOMBSTONED, "fsck")

    def _fsck_release(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield Step("releases the parent", self._again(self._released(state, runner), number))

    def _again(self, state: State, number: int) -> State:
        return _with(state, number, state.runners[number]._replace(step="fsck"))

    # What verbs have in common.

    def _label(self, runner: Runner) -> int:
        """The quarantine of this runner."""
        return QUARANTINE + (runner.lease if self.has(Guard.OWN_QUARANTINE) else 0)

    def _may_move(self, place: int, runner: Runner) -> bool:
        """Whether the runner finds a file under the names that it knows."""
        removed = place in (REMOVED, REMOVED_AGAIN)
        return removed or QUARANTINE <= place <= self._label(runner)

    def _journal(self, state: State, number: int, record: str, then: str) -> Iterator[Step]:
        """The record is written, unless others wrote one since; without `then` the verb ends."""
        runner = state.runners[number]
        if not self._may_journal(state, runner):
            yield Step(f"may not journal {record}", _with(state, number, Runner()))
            return
        after = state._replace(journal=record, number=state.number + 1)
        if record == MARKED:
            after = after._replace(recipe=True)
        elif record == TOMBSTONED:
            after = after._replace(recipe=True, aged=state.aged and state.journal == PURGING)
        elif record == GIVEN_UP:
            after = self._given_up(state, after)
        elif record == NONE:
            after = after._replace(recipe=False, purge_began=False)
        if then:
            next_ = runner._replace(step=then, seen=after.number)
            yield Step(f"journals {record}", _with(after, number, next_))
        else:
            yield Step(f"journals {record}", self._ended(after, number))

    def _may_journal(self, state: State, runner: Runner) -> bool:
        return runner.seen == state.number or not self.has(Guard.NUMBERS)

    def _given_up(self, before: State, after: State) -> State:
        """What the owner still needs; a purge of what was given up says so again, before and after.

        Rows that were purged, or are in the owner's own folder, are the owner's business from now.
        """
        if before.journal == GIVEN_UP:
            return after._replace(purge_began=True)
        replaced = is_live(before.files[NEW])
        after = after._replace(replaced=replaced, aged=False, recipe=False)
        is_left = before.journal == PURGED or (
            (replaced or DROPPED in before.files) and not self._is_kept(before)
        )
        return _needless(after) if is_left else after

    def _is_kept(self, state: State) -> bool:
        """Whether the planned files are in quarantine, and not in a Delta table's own folder."""
        return self.mover is Mover.RENAME or any(state.files[n] >= QUARANTINE for n in PLANNED)

    def _back(self, state: State, number: int, then: str) -> Iterator[Step]:
        """The moved files are live again, where nothing else is in their place."""
        runner = state.runners[number]
        moved = [n for n, place in enumerate(state.files) if self._may_move(place, runner)]
        next_ = runner._replace(step=then)
        blocked = self._is_blocked(state)
        if blocked and self.has(Guard.EMPTY_PLACE):
            yield Step("stops for a person", _with(state, number, Runner()))
        elif blocked:
            files = _placed(state.files, dict.fromkeys(moved, MISPLACED))
            yield Step("puts files among others", _with(state._replace(files=files), number, next_))
        elif self.mover is Mover.DELTA:
            if state.version != runner.version and self.has(Guard.VERSION):
                yield Step("its commit conflicts", _with(state, number, Runner()))
                return
            new_names = runner.purge_began and self.has(Guard.NEW_NAMES)
            back = {n: RESTORED if new_names or state.files[n] != REMOVED else LIVE for n in moved}
            after = state._replace(files=_placed(state.files, back), version=state.version + 1)
            after = after._replace(foreign=False)
            yield Step("restores", _with(after, number, next_._replace(version=after.version)))
        else:
            files = _placed(state.files, dict.fromkeys(moved, LIVE))
            yield Step("renames back", _with(state._replace(files=files), number, next_))

    def _back_then_fsck(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._back(state, number, "fsck")

    def _released(self, state: State, runner: Runner) -> State:
        younger = state.hold >> (runner.lease + 1) << (runner.lease + 1)
        return state._replace(hold=younger if self.has(Guard.OWN_HOLD) else 0)

    def _release(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield Step("releases the parent", self._ended(self._released(state, runner), number))

    def _unmark(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state, number, NONE, "release")

    def _ended(self, state: State, number: int) -> State:
        holder = -1 if state.holder == number else state.holder
        return _with(state._replace(holder=holder), number, Runner())

    def _to(self, name: str, state: State, number: int, step: str) -> Step:
        return Step(name, _with(state, number, state.runners[number]._replace(step=step)))

    # apply

    def _apply_check(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if state.journal != NONE:
            yield Step("refuses", self._ended(state, number))
        else:
            first = "hold" if self.has(Guard.HOLD_FIRST) else "read"
            yield self._to("may apply", state, number, f"apply_{first}")

    def _apply_hold(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        then = "apply_read" if self.has(Guard.HOLD_FIRST) else "apply_mark"
        hold = state.hold | 1 << runner.lease
        yield self._to("holds the parent", state._replace(hold=hold), number, then)

    def _apply_read(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        as_planned = all(is_live(state.files[n]) for n in PLANNED) and not is_live(state.files[NEW])
        if (as_planned and state.parent) or not self.has(Guard.REREAD):
            then = "apply_mark" if self.has(Guard.HOLD_FIRST) else "apply_hold"
            next_ = runner._replace(step=then, version=state.version)
            yield Step("reads child and parent", _with(state, number, next_))
        else:
            yield self._to("refuses", state, number, "release")

    def _apply_mark(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if self.has(Guard.INTENT):
            yield from self._journal(state, number, MARKED, "apply_move")
        else:
            yield self._to("goes on", state, number, "apply_move")

    def _apply_move(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if self.mover is Mover.RENAME:
            live = {n: self._label(runner) for n, place in enumerate(state.files) if is_live(place)}
            after = state._replace(files=_placed(state.files, live))
        elif state.version != runner.version and self.has(Guard.VERSION):
            yield self._to("its commit conflicts", state, number, "unmark")
            return
        else:
            again = {LIVE: REMOVED, RESTORED: REMOVED_AGAIN}
            live = {n: again[state.files[n]] for n in PLANNED if is_live(state.files[n])}
            after = state._replace(files=_placed(state.files, live), version=state.version + 1)
            after = after._replace(outlived=False, protected=self.has(Guard.LONG_RETENTION))
        next_ = runner._replace(step="apply_verify", version=after.version)
        yield Step("moves", _with(after, number, next_))

    def _apply_verify(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        moved = [n for n, place in enumerate(state.files) if self._may_move(place, runner)]
        if (state.parent and moved == list(PLANNED)) or not self.has(Guard.VERIFY):
            yield self._to("compares: equal", state, number, "apply_tombstone")
        else:
            yield self._to("compares: not equal", state, number, "apply_back")

    def _apply_back(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if self._lost(state):
            yield Step("stops for fsck", _with(state, number, Runner()))
        else:
            yield from self._back(state, number, "unmark")

    def _apply_tombstone(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state, number, TOMBSTONED, "")

    # undo

    def _undo_check(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        complete = all(self._may_move(state.files[n], runner) for n in PLANNED)
        complete = complete and not self._is_blocked(state)
        kept = state.journal == GIVEN_UP and self._is_kept(state)
        if (state.journal == TOMBSTONED or kept) and complete:
            next_ = runner._replace(step="undo_mark", version=state.version)
            yield Step("looks", _with(state, number, next_._replace(purge_began=state.purge_began)))
        else:
            yield Step("refuses", self._ended(state, number))

    def _undo_mark(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if self.has(Guard.INTENT):
            yield from self._journal(state, number, MARKED, "undo_back")
        else:
            yield self._to("goes on", state, number, "undo_back")

    def _undo_back(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._back(state, number, "undo_compare")

    def _undo_compare(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        whole = all(is_live(state.files[n]) for n in PLANNED)
        if whole or not self.has(Guard.COMPARE_BACK):
            yield self._to("compares: equal", state, number, "unmark")
        else:
            yield Step("stops for fsck", _with(state, number, Runner()))

    # purge

    def _purge_check(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        aged = state.aged or not self.has(Guard.RETENTION)
        if state.journal == GIVEN_UP and aged and self._is_kept(state):
            yield self._to("checks", state, number, "purge_given_up")
            return
        sure = state.parent and state.hold and not any(map(is_live, state.files))
        if state.journal == TOMBSTONED and aged and (sure or not self.has(Guard.PURGE_CHECK)):
            new = any(place == REMOVED_AGAIN for place in state.files)
            next_ = runner._replace(step="purge_mark", knows_new_names=new)
            yield Step("checks", _with(state, number, next_))
        else:
            yield Step("refuses", self._ended(state, number))

    def _purge_mark(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        if self.has(Guard.INTENT):
            yield from self._journal(state, number, PURGING, "purge_delete")
        else:
            yield self._to("goes on", state, number, "purge_delete")

    def _purge_given_up(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state, number, GIVEN_UP, "purge_delete")

    def _purge_delete(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        """Files are deleted one by one, by their names."""
        numbers = PLANNED if self.has(Guard.BY_NAME) else (*PLANNED, NEW)
        left = [n for n in numbers if self._has_name(state.files[n], runner)]
        if not left:
            yield self._to("has deleted all", state, number, "purge_done")
        for n in left[:1]:
            after = state._replace(files=_placed(state.files, {n: GONE}))
            yield Step(f"deletes {'abn'[n]}", _with(after, number, runner))

    def _has_name(self, place: int, runner: Runner) -> bool:
        """Whether the purge's name leads to the file: Delta's also where it is live again."""
        if place in (RESTORED, REMOVED_AGAIN):
            return runner.knows_new_names
        return self._may_move(place, runner) or (self.mover is Mover.DELTA and place == LIVE)

    def _purge_done(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        done = GIVEN_UP if state.journal == GIVEN_UP else PURGED
        yield from self._journal(state, number, done, "")

    # release

    def _release_check(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        replaced = is_live(state.files[NEW]) or not self.has(Guard.REPLACED)
        may = state.journal == TOMBSTONED or (
            state.journal == MARKED and self.mover is Mover.DELTA and self._is_blocked(state)
        )
        if state.journal == PURGED or (may and replaced):
            yield self._to("looks", state, number, "release_give_up")
        else:
            yield Step("refuses", self._ended(state, number))

    def _release_give_up(self, state: State, number: int, runner: Runner) -> Iterator[Step]:
        yield from self._journal(state, number, GIVEN_UP, "release")


def _needless(state: State) -> State:
    """The state in which nobody needs the child's planned rows, but those that are live."""
    a, b = (state.wanted[number] and is_live(state.files[number]) for number in PLANNED)
    return state._replace(wanted=(a, b, state.wanted[NEW]))


def _placed(files: Files, moves: dict[int, int]) -> Files:
    a, b, n = (moves.get(number, place) for number, place in enumerate(files))
    return a, b, n


def _with(state: State, number: int, runner: Runner) -> State:
    first, second = state.runners
    return state._replace(runners=(runner, second) if number == 0 else (first, runner))


def _either(state: State) -> State:
    """The state, its runners in order: which of the two is which makes no difference."""
    first, second = state.runners
    if first <= second:
        return state
    holder = state.holder if state.holder < 0 else 1 - state.holder
    return state._replace(runners=(second, first), holder=holder)


def _story(before: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names = []
    while (step := before[state]) is not None:
        state, name = step
        names.append(name)
    return tuple(reversed(names))
