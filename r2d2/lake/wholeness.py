"""Tables that are not whole: something below their folder was left out, or is not theirs.

A reader that follows a link, or may list a folder that r2d2 may not, sees other rows than r2d2.
So a table is whole or it is unreadable. Names that start with `_` or `.` are data to no reader of
plain folders (`_temporary`, `.part-0.crc`); in the folder of a table format every name matters.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from r2d2.formats import format_named
from r2d2.model import FileGroup, FileInfo
from r2d2.storage.local import Listing, is_hidden

LINK_INSIDE = "symbolic link to what is listed itself"
HIDDEN = "name starts with _ or ."
UNNAMED_REMEDY = "give it the ending of the others, or take it out of the folder"
_UNION_FOLDER = re.compile(r"HIVE_UNION_SUBDIR_[0-9]+")
APART = "; if it is none, move it to a folder of its own"
REMEDY = "put a file there that can be read, or take it out of the folder"


@dataclass(frozen=True, slots=True)
class Whole:
    """The groups, and what was left out below none of them: as (path, reason), or counted."""

    groups: tuple[FileGroup, ...]
    left_out: tuple[tuple[str, str], ...]
    skipped: Mapping[str, int]


def left_out_reasons(listing: Listing) -> dict[str, str]:
    """Why each path was left out, links into the lake too."""
    return {**dict.fromkeys(listing.links, LINK_INSIDE), **dict(listing.left_out)}


def left_out_files(listing: Listing) -> list[FileInfo]:
    """The left-out paths as files without bytes: grouped with the rest, they show their tables."""
    return [FileInfo(path, 0, "") for path in left_out_reasons(listing)]


def whole_or_unreadable(
    groups: Sequence[FileGroup], claimed: Collection[str], listing: Listing
) -> Whole:
    """The groups without what was left out; one that lacks something has a problem.

    `claimed` are the folders that a table format claims by its marker.
    """
    reasons = left_out_reasons(listing)
    if not reasons:
        return Whole(tuple(groups), (), {})
    folders = {group.location for group in groups if _is_folder(group)}
    lacking: dict[str, list[str]] = defaultdict(list)
    skipped: Counter[str] = Counter()
    told = []
    for path, reason in reasons.items():
        roots = [
            root
            for root in folders_above(path)
            if root in folders and (root in claimed or not _is_hidden_below(path, root))
        ]
        for root in roots:
            lacking[root].append(path)
        if roots:
            continue
        if _is_hidden_below(path, ""):
            skipped[HIDDEN] += 1
        elif reason == LINK_INSIDE:
            skipped[LINK_INSIDE] += 1
        else:
            told.append((path, reason))
    found = [
        replace(group, files=files, problem=problem or group.problem)
        for group in groups
        for files in [tuple(file for file in group.files if file.path not in reasons)]
        for problem in [_problem(lacking.get(group.location), reasons)]
        if files or group.location in lacking
    ]
    return Whole(tuple(_kept_for_links(found, listing.links)), tuple(sorted(told)), skipped)


def whole_but_for_unnamed(
    groups: Iterable[FileGroup],
    unnamed: Iterable[tuple[FileInfo, str]],
    formats: Mapping[str, str],
) -> tuple[FileGroup, ...]:
    """The groups; one with an unnamed file beside its own that may be a part of it has a problem.

    `unnamed` are files whose names promise no format, each with the group's location; `formats` are
    told by their content. Readers of a folder read any file of the format, and of text any file.
    """
    parts: dict[tuple[str, str | None], str] = {}
    for file, location in unnamed:
        parts.setdefault((location, formats.get(file.path)), file.path)
    if not parts:
        return tuple(groups)
    found = []
    for group in groups:
        path = None
        if group.partitioned and group.problem is None:
            content = group.format if format_named(group.format).magic else None
            path = parts.get((group.location, content))
        if path is not None:
            problem = f"not whole without {path}, whose name tells no format; {UNNAMED_REMEDY}"
            group = replace(group, problem=problem)
        found.append(group)
    return tuple(found)


def foreign_named(
    groups: Sequence[FileGroup], claimed: Collection[str], nameless: Sequence[str]
) -> list[FileGroup]:
    """The groups, each with the files and tables inside its folder that are not its own.

    `nameless` are files whose names promise no format. One below a partition's folder may be a part
    (Hive's own `000000_0` beside Spark's), so neither table may be deleted by itself. Nor may a
    table that is a partition's folder (`k=1/_delta_log`): who reads all partitions reads it, too.
    """
    found = list(groups)
    for place, group in enumerate(found):
        if not group.partitioned and group.location in claimed:
            nested = [root for root in claimed if group.location in _strictly_above(root)]
            found[place] = replace(group, inside=tuple(sorted(nested)))
    folders = [place for place, group in enumerate(found) if group.partitioned]
    if not folders:
        return found
    named = sorted([(group.location, place) for place, group in enumerate(found)])
    named = sorted([*named, *((path, -1) for path in nameless)])
    for place in folders:
        _name_foreign(found, place, named)
    return found


def _strictly_above(path: str) -> list[str]:
    return [folder for folder in folders_above(path) if folder != path]


def _name_foreign(groups: list[FileGroup], place: int, named: Sequence[tuple[str, int]]) -> None:
    """Sets `inside` of the partitioned group, and what must be kept; `named` are in order."""
    table = groups[place]
    start = f"{table.location}/" if table.location else ""
    first = bisect_left(named, (start, -1))
    last = bisect_left(named, (f"{table.location}0", -1)) if table.location else len(named)
    inside, parts = [], []
    for location, other in named[first:last]:
        if other == place:
            continue
        head, _, rest = location[len(start) :].partition("/")
        is_partition = bool(rest) or (other >= 0 and _is_folder(groups[other]))
        below_partition = is_partition and head.find("=") > 0
        if other < 0 and not below_partition:
            continue
        inside.append(location)
        beside = not rest and other >= 0 and groups[other].format == table.format
        if below_partition or beside:
            parts.append(location)
            if other >= 0:
                reason = f"it lies in {table.location or 'the lake'} and may be a part of it{APART}"
                groups[other] = replace(groups[other], must_keep=groups[other].must_keep or reason)
    must_keep = table.must_keep
    if parts:
        must_keep = must_keep or f"{parts[0]} in its folder may be a part of it{APART}"
    groups[place] = replace(groups[place], inside=tuple(inside), must_keep=must_keep)


def _is_folder(group: FileGroup) -> bool:
    return [file.path for file in group.files] != [group.location]


def folders_above(path: str) -> Iterator[str]:
    """The folders that the path lies in, the lake's root (an empty name) first."""
    yield ""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


def table_folder(path: str) -> str:
    """The folder whose part the file would be: Hive's unions leave parts one folder deeper."""
    folder = path.rpartition("/")[0]
    while is_union_folder(folder.rpartition("/")[2]):
        folder = folder.rpartition("/")[0]
    return folder


def is_union_folder(name: str) -> bool:
    """Whether Hive calls a folder so that holds one branch of a UNION ALL."""
    return _UNION_FOLDER.fullmatch(name) is not None


def _is_hidden_below(path: str, root: str) -> bool:
    return any(map(is_hidden, path[len(root) :].lstrip("/").split("/")))


def _problem(lacking: Sequence[str] | None, reasons: Mapping[str, str]) -> str | None:
    if not lacking:
        return None
    more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    first = min(lacking)
    return f"not whole without {first}: {reasons[first]}{more}; {REMEDY}"


def _kept_for_links(groups: Sequence[FileGroup], links: Mapping[str, str]) -> list[FileGroup]:
    """The groups; those that a link leads to must be kept, or the link would lead nowhere."""
    kept = sorted(groups, key=lambda group: group.location)
    locations = [group.location for group in kept]
    for link, target in sorted(links.items()):
        if target in ("", *folders_above(link)):
            continue  # a loop: it leads to no other data
        above = {*folders_above(target), target}
        places = {bisect_left(locations, location) for location in above}
        first = bisect_left(locations, f"{target}/")
        places |= set(range(first, bisect_left(locations, f"{target}0")))  # "0" follows "/"
        for place in places:
            group = kept[place] if place < len(kept) else None
            if group is None or not _is_reached(group, target, above):
                continue
            if not _lies_in(link, group):
                reason = group.must_keep or f"the symbolic link {link} leads to it"
                kept[place] = replace(group, must_keep=reason)
    return kept


def _is_reached(group: FileGroup, target: str, above: Collection[str]) -> bool:
    return group.location in above or group.location.startswith(f"{target}/")


def _lies_in(link: str, group: FileGroup) -> bool:
    return not group.location or link.startswith(f"{group.location}/")
