"""Folders that a writer wrote as one table: told by their files' names and the markers beside them.

Parts by a writer's name, and whatever lies with no telling name beside a job's marker (`_SUCCESS`),
are one table. Names that differ by a number or an id alone (see `part_names`), also those of
folders, may be parts. Who deletes one part leaves a table that is still read, with fewer rows and
no error; so where it cannot be told, nothing is deleted.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from r2d2.lake.name_forms import FolderShapes, counted, stem
from r2d2.lake.part_names import NameKind, called, is_part, judged_names, writer
from r2d2.lake.wholeness import folders_above, table_folder
from r2d2.model import FileGroup, Table
from r2d2.storage.local import is_hidden

LAKE = "the lake"
_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata")
_MARKER_STARTS = ("_committed_", "_started_")
_UNFINISHED_STARTS = ("_temporary", ".spark-staging", ".hive-staging")


def is_marker(name: str) -> bool:
    """Whether a file of that name only tells of a table's files: a job's mark, or a checksum."""
    is_checksum = name.startswith(".") and name.endswith(".crc")
    return name in _MARKERS or name.startswith(_MARKER_STARTS) or is_checksum


@dataclass(frozen=True, slots=True)
class FolderMarks:
    """The names of markers in a folder, and of what a job leaves there until it is done."""

    markers: frozenset[str]
    unfinished: frozenset[str]


def marks_of(hidden: Iterable[str]) -> dict[str, FolderMarks]:
    """The folders that have markers, or an unfinished job's files, among the hidden paths."""
    markers: dict[str, set[str]] = defaultdict(set)
    unfinished: dict[str, set[str]] = defaultdict(set)
    for path in hidden:
        parts = path.split("/")
        place = next(at for at, part in enumerate(parts) if is_hidden(part))
        folder, name = "/".join(parts[:place]), parts[place]
        is_file = place == len(parts) - 1
        if is_file and (name in _MARKERS or name.startswith(_MARKER_STARTS)):
            markers[folder].add(name)
        elif not is_file and name.startswith(_UNFINISHED_STARTS):
            unfinished[folder].add(name)
    return {
        folder: FolderMarks(frozenset(markers[folder]), frozenset(unfinished[folder]))
        for folder in {*markers, *unfinished}
    }


def exported(
    groups: Sequence[FileGroup],
    hidden: Iterable[str],
    nameless: Iterable[str],
    settled: Collection[str],
) -> list[FileGroup]:
    """The groups, those of single files joined where a writer wrote them as one table.

    `hidden` are paths with a hidden name in them, `nameless` those of files that promise no format,
    `settled` the locations of tables by a rule of the user's: these stay as they are, and count
    where others are judged, since a rule for some of a table's parts says nothing of the rest.
    """
    marks = marks_of(hidden)
    if settled:
        groups = [replace(group, is_settled=group.location in settled) for group in groups]
    result = [group for group in groups if not _is_file(group)]
    taken = {group.location for group in result if group.partitioned}
    folders: dict[str, dict[str, list[FileGroup]]] = defaultdict(lambda: defaultdict(list))
    for group in groups:
        if _is_file(group):
            folders[table_folder(group.location)][group.format].append(group)
    for folder, formats in folders.items():
        markers = marks[folder].markers if folder in marks else frozenset()
        judged = [_judged(folder, files, markers) for files in formats.values()]
        tables = sum(any(group.partitioned for group in each) for each in judged)
        for files, each in zip(formats.values(), judged, strict=True):
            is_table = any(group.partitioned for group in each)
            if is_table and folder in taken:
                each = files  # beside a table of key=value folders; `foreign_named` keeps both
            elif is_table and tables > 1:
                each = _kept(files, f"{_shown(folder)} has parts of tables of several formats")
            result += each
    result = _with_siblings(_below_markers(result, marks))
    return _with_marks(result, marks, nameless)


def _is_file(group: FileGroup) -> bool:
    """Whether the group is a file, which may be a part of a table."""
    return [file.path for file in group.files] == [group.location] and group.must_keep is None


def _judged(folder: str, files: Sequence[FileGroup], markers: Collection[str]) -> list[FileGroup]:
    """The folder's files of one format as one table, as tables, or as what cannot be told."""
    names = [group.location.rpartition("/")[2] for group in files]
    judged = judged_names(names, folder)
    parts: list[FileGroup] = []
    telling: list[FileGroup] = []
    alike: dict[str, list[FileGroup]] = defaultdict(list)
    for group, name in zip(files, judged, strict=True):
        if name.kind is NameKind.PART:
            parts.append(group)
        elif name.kind is NameKind.TELLING:
            telling.append(group)
        else:
            alike[name.form].append(group)
    if markers and not telling and not any(alike):
        parts, alike = list(files), {}
    tables = {called(group.location.rpartition("/")[2]) for group in parts}
    if len(tables) > 1:
        shown = ", ".join(sorted(tables)[:3])
        return _kept(files, f"the parts in {_shown(folder)} are of several tables ({shown})")
    if not parts and markers and len(files) > 1:
        return _kept(files, f"{min(markers)} says that one job wrote {_shown(folder)}")
    numbered = [
        group if len(others) == 1 else _uncertain(group, folder, _since("name", form))
        for form, others in alike.items()
        for group in others
    ]
    if not parts:
        return [*numbered, *telling]
    own = [group for group in parts if group.is_settled]
    parts = [group for group in parts if not group.is_settled]
    if not parts:
        return [*own, *numbered, *telling]
    whole = FileGroup(
        folder,
        parts[0].format,
        tuple(sorted((f for group in parts for f in group.files), key=lambda file: file.path)),
        partitioned=True,
        must_keep=f"a rule makes a table of {own[0].location}, one of its parts" if own else None,
        because=_because([group.location.rpartition("/")[2] for group in parts], markers),
    )
    return [whole, *own, *numbered, *telling]


def _uncertain(group: FileGroup, folder: str, since: str) -> FileGroup:
    return replace(group, may_be_part_of=_shown(folder), part_since=since)


def _since(what: str, form: str) -> str:
    if form in ("", "#"):
        return f"its {what} is only numbers, ids and words like `part`"
    return f"its {what} differs from others by a number or an id alone ({form})"


def _is_files(group: FileGroup) -> bool:
    """Whether the group is data files that no table format claims."""
    return group.because is not None or [file.path for file in group.files] == [group.location]


def _below_markers(
    groups: Iterable[FileGroup], marks: Mapping[str, FolderMarks]
) -> list[FileGroup]:
    """The groups; those in and below a job's marker, the nearest, may be parts of one table."""
    marked = {folder: min(mark.markers) for folder, mark in marks.items() if mark.markers}
    if not marked:
        return list(groups)
    found = []
    for group in groups:
        above = [folder for folder in _folders_of(group) if folder in marked]
        if above and _is_files(group):
            place = f"{above[-1]}/" if above[-1] else ""
            since = f"{place}{marked[above[-1]]} says that one job wrote all below it"
            group = _uncertain(group, above[-1], since)
        found.append(group)
    return found


def _folders_of(group: FileGroup) -> list[str]:
    """The folders that the group lies in, its own too, the lake's root first."""
    above = list(folders_above(group.location))
    is_file = [file.path for file in group.files] == [group.location]
    return above if is_file or not group.location else [*above, group.location]


def _with_siblings(groups: Sequence[FileGroup]) -> list[FileGroup]:
    """The groups; those whose folders differ by a number or an id alone may be parts of one table.

    Each such folder holds nothing else.
    """
    folders = [_folders_of(group) for group in groups]
    numbered = [
        place for place, group in enumerate(groups) if folders[place][-1] and _is_files(group)
    ]
    shapes = FolderShapes.of([folders[place] for place in numbered])
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in numbered:
        folder, location = folders[place][-1], groups[place].location
        shape = shapes.of_path(folder, location[len(folder) :].lstrip("/"))
        if shape is not None:
            alike[groups[place].format, shape].append(place)
    families = [(shape, places) for (_, shape), places in alike.items() if len(places) > 1]
    if not families:
        return list(groups)
    below = Counter(folder for above in folders for folder in above)
    found = list(groups)
    while families:
        shape, places = families.pop()
        depth = min(len(folders[place]) for place in places)
        depth = next((d for d in range(depth) if len({folders[p][d] for p in places}) > 1), 0)
        if not depth:
            continue
        inside: dict[str, list[int]] = defaultdict(list)
        for place in places:
            inside[folders[place][depth]].append(place)
        whole = {folder for folder, each in inside.items() if below[folder] == len(each)}
        since = _since("folder's name", shape.split("/")[depth - 1])
        for folder, each in inside.items():
            if len(whole) > 1 and folder in whole:
                for member in each:
                    found[member] = _uncertain(found[member], folders[member][depth - 1], since)
            elif len(each) > 1:
                families.append((shape, each))
    return found


def _because(names: Sequence[str], markers: Collection[str]) -> str:
    writers = Counter(writer(name) for name in names if is_part(name))
    told = [f"part names of {writer}" for writer, _ in writers.most_common(2)]
    return " and ".join([*told, *sorted(markers)[:1]])


def _kept(files: Iterable[FileGroup], reason: str) -> list[FileGroup]:
    return [
        group
        if group.is_settled
        else replace(
            group, must_keep=group.must_keep or f"{reason}; {_each_is_one(group.location)}"
        )
        for group in files
    ]


def _each_is_one(location: str) -> str:
    name = location.rpartition("/")[2]
    return _remedy(table_folder(location), "files", f"*{_pattern(_ending(name))}")


def _with_marks(
    groups: Iterable[FileGroup], marks: Mapping[str, FolderMarks], nameless: Iterable[str]
) -> list[FileGroup]:
    """The groups; a folder that a job is not done with, or with parts of no format, is kept."""
    unread: dict[str, str] = {}
    for path in nameless:
        if is_part(path.rpartition("/")[2]):
            unread.setdefault(table_folder(path), path)
    found = []
    for group in groups:
        mark = marks.get(group.location) if group.partitioned else None
        reason = None
        if mark and mark.unfinished:
            place = f"{group.location}/" if group.location else ""
            reason = f"a job is writing to it or broke off: {place}{min(mark.unfinished)} is there"
        elif group.partitioned and group.location in unread:
            reason = f"{unread[group.location]}, whose name tells no format, may be a part of it"
        found.append(replace(group, must_keep=group.must_keep or reason) if reason else group)
    return found


def with_uncertain_kept(tables: Sequence[Table], groups: Iterable[FileGroup]) -> list[Table]:
    """The tables; those that may be parts of one table must be kept.

    Of files that have numbers or ids for names these are such as have all columns of another there,
    or are among another's: a part may lack a column that later ones have. One that cannot be read
    may have any.
    """
    uncertain = {group.location or ".": group for group in groups if group.may_be_part_of}
    if not uncertain:
        return list(tables)
    sets: dict[tuple[str | None, str, str], Counter[frozenset[str]]] = defaultdict(Counter)
    # By identity: tables of one schema mostly share one tuple of columns.
    names: dict[int, frozenset[str]] = {}
    for table in tables:
        if group := uncertain.get(table.location):
            key = id(table.columns)
            if key not in names:
                names[key] = _column_names(table)
            sets[_family(group)][names[key]] += 1
    alike = {family: _alike(counts) for family, counts in sets.items()}
    found = []
    for table in tables:
        group = uncertain.get(table.location)
        if (
            group is not None
            and not group.is_settled
            and names[id(table.columns)] in alike[_family(group)]
        ):
            reason = f"it may be a part of {group.may_be_part_of}: {group.part_since}"
            table = replace(table, must_keep=table.must_keep or f"{reason}; {_settled(group)}")
        found.append(table)
    return found


def _family(group: FileGroup) -> tuple[str | None, str, str]:
    return group.may_be_part_of, group.part_since, group.format


def _column_names(table: Table) -> frozenset[str]:
    """The names in lower case; none where the table could not be read."""
    return frozenset(column.path[0].lower() for column in table.columns)


def _alike(counts: Counter[frozenset[str]]) -> set[frozenset[str]]:
    """The sets that occur twice, include another or are among another's, by their rarest name."""
    found = {names for names, count in counts.items() if count > 1}
    if frozenset() in counts and len(counts) > 1:
        return set(counts)
    holders: dict[str, list[frozenset[str]]] = defaultdict(list)
    for names in counts:
        for name in names:
            holders[name].append(names)
    for names in filter(None, counts):
        rarest = min((holders[name] for name in names), key=len)
        found.update(one for other in rarest if names < other for one in (names, other))
    return found


def _settled(group: FileGroup) -> str:
    """The lines of a settings file that settle whether the group is a part or a table."""
    folder = "" if group.may_be_part_of == LAKE else group.may_be_part_of or ""
    names = counted(_pattern(group.location[len(folder) :].lstrip("/")))
    if "*" not in names:
        names = f"*{'' if group.partitioned else _ending(names)}"
    return _remedy(folder, "folder" if group.partitioned else "files", names)


def _ending(name: str) -> str:
    return name[len(stem(name)) :]


@lru_cache(maxsize=1 << 12)
def _remedy(folder: str, kind: str, names: str) -> str:
    one, each = (
        json.dumps(pattern, ensure_ascii=False)
        for pattern in (_pattern(folder) or ".", f"{_pattern(folder)}/{names}".lstrip("/"))
    )
    unit = "a file" if kind == "files" else "a folder"
    rules = f"[[table]] folder = {one} for one table, or {kind} = {each} for one {unit}"
    return f"in the settings of `find`, settle it: {rules}"


def _pattern(path: str) -> str:
    """The pattern that matches that path alone."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _shown(folder: str) -> str:
    return folder or LAKE
