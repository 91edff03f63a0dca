"""A lake's files in groups that make tables; owners are asked, and the journal of deletions."""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from r2d2.errors import R2D2Error, TableError, UsageError
from r2d2.formats import FORMATS
from r2d2.lake.deletions import (
    HOME,
    NOTE_SUFFIX,
    JournalState,
    State,
    journal_state,
    tombstone_path,
    without_home,
)
from r2d2.lake.grouping import Grouping, group_files, unnamed_parts
from r2d2.lake.owners import find_owners
from r2d2.lake.wholeness import HIDDEN, whole_but_for_unnamed
from r2d2.model import FileGroup, FileInfo
from r2d2.settings.find import TableRule
from r2d2.storage.local import Listing, LocalStorage, Storage, in_order, read_whole

MAGIC_BYTES = 4
ORPHAN = f"note *{NOTE_SUFFIX} of a deletion, without its journal"
"""Of the reason why a file is in no table: which tables its deletion needs is not known."""


class HeldParent(NamedTuple):
    """Why a table must stay, and its bytes, by which it is known under another name."""

    reason: str
    size_bytes: int


class EarlierDeletions(NamedTuple):
    """What earlier deletions mean for a lake's tables.

    `held` are the tables that deleted ones are rebuilt from, by location, each with why it must
    stay. Of the tables that are `emptied`, a log without rows stays at their place. `orphans` are
    the notes of deletions that no journal tells of.
    """

    held: dict[str, HeldParent]
    emptied: frozenset[str]
    orphans: tuple[str, ...]


def grouped(storage: Storage, listing: Listing, rules: Sequence[TableRule]) -> Grouping:
    """The listing's files in groups that make tables, none of which another table owns.

    Parents of tables that r2d2 deleted must stay.

    Raises:
        JournalError: what was deleted cannot be known.
    """
    earlier = earlier_deletions(storage, listing)
    found = grouped_by_files(storage, without_home(listing), rules)
    groups, skipped = _with_held(found.groups, earlier.held), dict(found.skipped)
    if count := len(earlier.orphans):
        hidden = skipped.pop(HIDDEN, 0) - count
        skipped |= {ORPHAN: count, **({HIDDEN: hidden} if hidden > 0 else {})}
    return replace(found, groups=groups, skipped=skipped, emptied=earlier.emptied)


def grouped_by_files(storage: Storage, listing: Listing, rules: Sequence[TableRule]) -> Grouping:
    """The same where no journal is asked, as of files that were written just now."""
    told = _formats_by_content(storage, unnamed_parts(listing))
    found = group_files(listing, rules, find_owners(storage, listing), told)
    formats = _formats_by_content(storage, {file.path: file for file, _ in found.unnamed})
    return replace(found, groups=whole_but_for_unnamed(found.groups, found.unnamed, formats))


def _with_held(
    groups: Sequence[FileGroup], held: Mapping[str, HeldParent]
) -> tuple[FileGroup, ...]:
    """The groups, those held that deleted tables are rebuilt from, under another name, too."""
    if not held:
        return tuple(groups)
    there = {group.location or "." for group in groups}
    renamed = {h.size_bytes: h.reason for parent, h in held.items() if parent not in there}
    kept = []
    for group in groups:
        parent = held.get(group.location or ".")
        reason = parent.reason if parent is not None else None
        if reason is None and renamed:
            reason = renamed.get(sum(file.size_bytes for file in group.files))
        kept.append(replace(group, must_keep=group.must_keep or reason))
    return tuple(kept)


def _formats_by_content(storage: Storage, parts: Mapping[str, FileInfo]) -> dict[str, str]:
    """The formats of files by what they begin with; those that cannot be told are left out."""
    magic = [(known.magic, known.name) for known in FORMATS if known.magic]

    def told(file: FileInfo) -> str | None:
        try:
            head = storage.read(file, 0, MAGIC_BYTES)
        except TableError:
            return None
        return next((name for start, name in magic if head.startswith(start)), None)

    found = zip(parts, in_order(storage, told, [*parts.values()]), strict=True)
    return {root: kind for root, kind in found if kind is not None}


def earlier_deletions(storage: Storage, listing: Listing) -> EarlierDeletions:
    """What journals say of this lake's tables: its own, those within it, and those it is within.

    Raises:
        JournalError: a journal cannot be read, or is not as it was written.
    """
    held, emptied, noted = dict[str, HeldParent](), set[str](), set[str]()
    for within, state in _journals(storage, listing):
        held |= {posixpath.normpath(f"{within}{p}"): told for p, told in _reasons(state)}
        states = (State.LIVE, State.REBUILT)
        deletions = (each for each in state.deletions.values() if each.state not in states)
        noted |= {f"{within}{tombstone_path(d.table)}" for d in state.deletions.values()}
        emptied |= {f"{within}{d.table}" for d in deletions if d.record.get("mover") == "delta"}
    for above, state in _journals_above(storage):
        notes = (tombstone_path(d.table) for d in state.deletions.values())
        noted |= {posixpath.relpath(posixpath.join(above, note), storage.url) for note in notes}
        places = ((posixpath.join(above, parent), told) for parent, told in _reasons(state))
        held |= {posixpath.relpath(place, storage.url): told for place, told in places}
    return EarlierDeletions(held, frozenset(emptied), tuple(_orphans(storage, listing, noted)))


def other_journals(storage: Storage, listing: Listing) -> list[str]:
    """The folders with a journal of deletions that this lake is within, or that are within it."""
    within = (place.rstrip("/") for place, _ in _journals(storage, listing) if place)
    above = [place for place, _ in _journals_above(storage)]
    return [*above, *(f"{storage.url}/{place}" for place in within)]


def require_live(storage: Storage, names: Iterable[str], place: Path) -> None:
    """Passes where no table that the lake's journal has as deleted comes back into its place.

    Raises:
        UsageError: one would, and the journal would not know.
    """
    root = Path(storage.url)
    if "://" in storage.url or not (root / HOME).is_dir():
        return
    state = journal_state(storage, storage.list())
    for name in names:
        if (place / name).resolve() == (root / name).resolve() and state.of_table(name):
            told = f"--to {place}: {name} is deleted there: `r2d2 status` tells how it comes back"
            raise UsageError(f"{told}; give another folder")


def _orphans(storage: Storage, listing: Listing, noted: Set[str]) -> Iterator[str]:
    for file in without_home(listing).files:
        if file.path.endswith(NOTE_SUFFIX) and file.path not in noted and is_note(storage, file):
            yield file.path


def is_note(storage: Storage, file: FileInfo) -> bool:
    """Whether the file is r2d2's note of a deletion, and nobody else's."""
    try:
        told = json.loads(read_whole(storage, file))
    except (OSError, ValueError, R2D2Error):
        return False
    return isinstance(told, dict) and told.get("deleted_by") == "r2d2"


def _reasons(state: JournalState) -> Iterator[tuple[str, HeldParent]]:
    for parent, deletions in state.held().items():
        size_bytes = int(deletions[-1].record["parents"][parent]["size_bytes"])
        told = f"{deletions[0].table}, which is deleted, is rebuilt from it"
        yield parent, HeldParent(told, size_bytes)


def _journals(storage: Storage, listing: Listing) -> Iterator[tuple[str, JournalState]]:
    """The journals of the lake and of those within it, with the folder that each is in."""
    marks = (f"/{file.path}".partition(f"/{HOME}/") for file in listing.files)
    folders = {f"{before}/"[1:] for before, mark, _ in marks if mark}
    unlisted = (path.partition(HOME)[0] for path, _ in listing.left_out if HOME in path.split("/"))
    for within in sorted({*folders, *unlisted}):
        yield within, journal_state(storage, listing, within)


def _journals_above(storage: Storage) -> Iterator[tuple[str, JournalState]]:
    """The journals of the folders that a local lake is within, each with its folder."""
    for above in () if "://" in storage.url else Path(storage.url).parents:
        if (above / HOME).is_dir():
            found = LocalStorage(str(above / HOME)).list()
            files = (FileInfo(f"{HOME}/{f.path}", f.size_bytes, f.version) for f in found.files)
            yield str(above), journal_state(LocalStorage(str(above)), Listing(tuple(files)))
