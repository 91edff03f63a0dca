"""Deletions as they concern tables of a lake: which must stay, which are empty in their place."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from r2d2.lake.deletions import HOME, JOURNAL, JournalState, State, journal_state
from r2d2.model import FileInfo
from r2d2.storage.local import Listing, LocalStorage, Storage


class HeldParent(NamedTuple):
    """Why a table must stay, and its bytes, by which it is known under another name."""

    reason: str
    size_bytes: int


class EarlierDeletions(NamedTuple):
    """What earlier deletions mean for a lake's tables.

    `held` are the tables that deleted ones are rebuilt from, by location, each with why it must
    stay. Of the tables that are `emptied`, a log without rows stays at their place.
    """

    held: dict[str, HeldParent]
    emptied: frozenset[str]


def earlier_deletions(storage: Storage, listing: Listing) -> EarlierDeletions:
    """What journals say of this lake's tables: its own, those within it, and those it is within.

    Raises:
        JournalError: a journal cannot be read, or is not as it was written.
    """
    held, emptied = dict[str, HeldParent](), set[str]()
    for within, state in _journals(storage, listing):
        held |= {posixpath.normpath(f"{within}{p}"): told for p, told in _reasons(state)}
        states = (State.LIVE, State.REBUILT)
        deletions = (each for each in state.deletions.values() if each.state not in states)
        emptied |= {f"{within}{d.table}" for d in deletions if d.record.get("mover") == "delta"}
    for above, state in _journals_above(storage):
        places = ((posixpath.join(above, parent), told) for parent, told in _reasons(state))
        held |= {posixpath.relpath(place, storage.url): told for place, told in places}
    return EarlierDeletions(held, frozenset(emptied))


def _reasons(state: JournalState) -> Iterator[tuple[str, HeldParent]]:
    for parent, deletions in state.held().items():
        size_bytes = int(deletions[-1].record["parents"][parent]["size_bytes"])
        told = f"{deletions[0].table}, which is deleted, is rebuilt from it"
        yield parent, HeldParent(told, size_bytes)


def _journals(storage: Storage, listing: Listing) -> Iterator[tuple[str, JournalState]]:
    """The journals of the lake and of those within it, with the folder that each is in."""
    marks = (file.path.partition(f"{JOURNAL}/") for file in listing.files)
    folders = {before for before, mark, _ in marks if mark and (not before or before[-1] == "/")}
    unlisted = (path.partition(HOME)[0] for path, _ in listing.left_out if HOME in path.split("/"))
    for within in sorted({*folders, *unlisted}):
        yield within, journal_state(storage, listing, within)


def _journals_above(storage: Storage) -> Iterator[tuple[str, JournalState]]:
    """The journals of the folders that a local lake is within, each with its folder."""
    for above in () if "://" in storage.url else Path(storage.url).parents:
        if (above / JOURNAL).is_dir():
            found = LocalStorage(str(above / HOME)).list()
            files = (FileInfo(f"{HOME}/{f.path}", f.size_bytes, f.version) for f in found.files)
            yield str(above), journal_state(LocalStorage(str(above)), Listing(tuple(files)))
