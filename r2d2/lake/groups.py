"""A lake's files in groups that make tables; owners are asked, and the journal of deletions."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from r2d2.errors import TableError
from r2d2.formats import FORMATS
from r2d2.lake.deletions import without_home
from r2d2.lake.earlier import HeldParent, earlier_deletions
from r2d2.lake.grouping import Grouping, group_files, unnamed_parts
from r2d2.lake.owners import find_owners
from r2d2.lake.wholeness import whole_but_for_unnamed
from r2d2.model import FileGroup, FileInfo
from r2d2.settings.find import TableRule
from r2d2.storage.local import Listing, Storage

# A remote read mostly waits.
REMOTE_THREADS = 64
MAGIC_BYTES = 4


def grouped(storage: Storage, listing: Listing, rules: Sequence[TableRule]) -> Grouping:
    """The listing's files in groups that make tables, none of which another table owns.

    Parents of tables that r2d2 deleted must stay.

    Raises:
        JournalError: what was deleted cannot be known.
    """
    earlier = earlier_deletions(storage, listing)
    listing = without_home(listing)
    told = _formats_by_content(storage, unnamed_parts(listing))
    found = group_files(listing, rules, find_owners(storage, listing), told)
    formats = _formats_by_content(storage, {file.path: file for file, _ in found.unnamed})
    groups = whole_but_for_unnamed(found.groups, found.unnamed, formats)
    kept = _with_held(groups, earlier.held)
    return replace(found, groups=kept, emptied=earlier.emptied)


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

    with ThreadPoolExecutor(REMOTE_THREADS if "://" in storage.url else 1) as pool:
        found = zip(parts, pool.map(told, parts.values()), strict=True)
        return {root: kind for root, kind in found if kind is not None}
