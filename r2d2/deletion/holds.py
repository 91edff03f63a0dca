"""Delta parents of deleted tables refuse deletes while anything rests on them, if settings ask.

`delta.appendOnly` keeps every writer from deleting and overwriting, and leaves OPTIMIZE, VACUUM and
appends alone. r2d2 takes it back when no deletion needs the parent any more, and only where it set
it. Each commit is journalled before and after; one that a crash left open is made by the next verb.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

from r2d2.deletion.journal import Journal
from r2d2.deletion.movers.delta_commits import (
    APPEND_ONLY,
    DELETED,
    HOLD,
    RESTORED,
    appending_commit,
    reason_against_version,
)
from r2d2.deletion.movers.delta_log import LOG, DeltaLogs
from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.actions import LoggedVersion
from r2d2.lake.deletions import Deletion, Event
from r2d2.lake.groups import HeldParent, earlier_deletions

_TRIES = 5
"""Of a commit that others were before."""
_WRITER_WITH_PROPERTY, _WRITER_WITH_FEATURES = 2, 7


def hold_parents(journal: Journal, deletion: Deletion) -> list[tuple[str, str]]:
    """Has the Delta parents refuse deletes; those that do not, each with the reason."""
    known = journal.state.properties
    parents = [
        parent
        for parent, told in deletion.record["parents"].items()
        if str(told["snapshot"]).startswith("delta:")
        and known.get(parent, Event.FREED) is Event.FREED
    ]
    reasons = ((parent, _held(journal, parent)) for parent in parents)
    return [(parent, reason) for parent, reason in reasons if reason is not None]


def _held(journal: Journal, parent: str) -> str | None:
    try:
        now = DeltaLogs(journal.place).newest(parent)
        if now is None or _is_append_only(now):
            return "its log is gone" if now is None else None
        listed = journal.place.listing(f"{parent}/{LOG}").files
        if reason := reason_against_version(now, [file.path for file in listed]):
            return reason
    except UnreadableTableError as error:
        return str(error)
    writer = int(now.protocol["minWriterVersion"])
    has_feature = writer < _WRITER_WITH_FEATURES or "appendOnly" in now.features
    if writer < _WRITER_WITH_PROPERTY or not has_feature:
        return f"its protocol has no {APPEND_ONLY}: its owner must upgrade it first"
    journal.append(Event.HOLDING, data={"parent": parent})
    if not _committed(journal, parent, DELETED):
        return "others commit to it all the time: the next command tries again"
    journal.append(Event.HELD, data={"parent": parent})
    return None


def _is_append_only(now: LoggedVersion) -> bool:
    return now.configuration.get(APPEND_ONLY, "").lower() == "true"


def _committed(journal: Journal, parent: str, step: int) -> bool:
    """Whether the property's step is in the log, by us now or by a runner that stopped after it."""
    logs = DeltaLogs(journal.place)
    for _ in range(_TRIES):
        now = logs.newest(parent)
        if now is None or now.transactions.get(HOLD) == step:
            return True
        with suppress(FileExistsError):
            logs.commit(parent, now.version, appending_commit(now, step, datetime.now(UTC)))
            return True
    return False


def is_broken(journal: Journal, parent: str) -> bool:
    """Whether somebody took the property back that r2d2 set on a table which others rest on."""
    if journal.state.properties.get(parent) is not Event.HELD:
        return False
    with suppress(UnreadableTableError):
        now = DeltaLogs(journal.place).newest(parent)
        return now is not None and not _is_append_only(now)
    return False


def settle_parents(journal: Journal) -> None:
    """Makes the commits that are due: a stopped runner's, and those that free parents."""

    @cache
    def held_by_any_lake() -> Mapping[str, HeldParent]:
        storage = journal.place.storage
        return earlier_deletions(storage, storage.list()).held

    for parent, last in list(journal.state.properties.items()):
        is_needed = journal.state.that_needs(parent) is not None
        if not is_needed and last is not Event.FREED:
            # Tables that a lake above or within this one deleted may rest on it, too.
            is_needed = parent in held_by_any_lake()
        with suppress(UnreadableTableError):  # what cannot be read now is looked at again
            _settle(journal, parent, last, is_needed)


def _settle(journal: Journal, parent: str, last: Event, is_needed: bool) -> None:
    if is_broken(journal, parent):
        journal.append(Event.FREED, data={"parent": parent})
    elif is_needed and last in (Event.HOLDING, Event.FREEING):
        if _committed(journal, parent, DELETED):
            journal.append(Event.HELD, data={"parent": parent})
    elif not is_needed and last is not Event.FREED:
        if last is not Event.FREEING:
            journal.append(Event.FREEING, data={"parent": parent})
        if _committed(journal, parent, RESTORED):
            journal.append(Event.FREED, data={"parent": parent})
