"""Files grouped into tables, by their names alone.

A folder is one table where a format claims it (Delta by its `_delta_log`), where it has data
files of one format under Hive-style folders (`key=value`), where a writer left parts in it
(`exports`), or where a `[[table]]` rule says so. Else every data file is a table.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from r2d2 import formats
from r2d2.formats.hive import partitions_of
from r2d2.lake.exports import exported
from r2d2.lake.owners import Owners
from r2d2.lake.owners.claims import above_keys
from r2d2.lake.owners.groups import with_datasets, with_owners
from r2d2.lake.part_names import is_part
from r2d2.lake.wholeness import (
    HIDDEN,
    folders_above,
    foreign_named,
    is_union_folder,
    left_out_files,
    table_folder,
    whole_or_unreadable,
)
from r2d2.model import FileGroup, FileInfo, Format
from r2d2.settings.find import TableRule
from r2d2.storage.local import Listing, is_hidden


@dataclass(frozen=True, slots=True)
class Grouping:
    """A lake's file groups by location, and how many files were left out by reason.

    `left_out` are the (path, reason) of what was not listed and is below no table. `owners` are
    those whose metadata was asked. `unnamed` are files whose
    names promise no format, with the location of the table of several files that they lie beside.
    `emptied` are deleted tables of which a log without rows stays at their place.
    """

    groups: tuple[FileGroup, ...]
    skipped: Mapping[str, int]
    left_out: tuple[tuple[str, str], ...] = ()
    owners: Owners = field(default_factory=Owners)
    unnamed: tuple[tuple[FileInfo, str], ...] = ()
    emptied: frozenset[str] = frozenset()


KEYS = "key=value folders"
NAMELESS = "no data file by its name"
NAMED = 5


def group_files(
    listing: Listing,
    rules: Sequence[TableRule] = (),
    owners: Owners | None = None,
    formats_of_roots: Mapping[str, str] | None = None,
) -> Grouping:
    """The listing's files in groups that make tables, in order of location.

    Of the rules that match a file the last counts. A file that one of the owners names is in no
    other table. `formats_of_roots` are the formats of parts without an ending, by what
    `unnamed_parts` calls their tables.
    """
    owners = owners or Owners()
    skipped = Counter(listing.skipped)
    absent = left_out_files(listing)
    roots = _with_folders_of(owners, _table_folders(listing.files, absent))
    names = _Names(
        {ending: known.name for known in formats.FORMATS for ending in known.endings},
        formats_of_roots or {},
    )
    owned: dict[tuple[str, str, bool], list[FileInfo]] = defaultdict(list)
    told = _told(listing.files, rules)
    nameless, hidden, unnamed = [], [], []
    for file in listing.files:
        place = _place(file.path, roots, names, rules)
        if not isinstance(place, str):
            owned[place].append(file)
            continue
        skipped[place] += 1
        if place is NAMELESS and file.size_bytes:
            unnamed.append(file)
        if place is HIDDEN:
            hidden.append(file.path)
        elif file.size_bytes and ("=" in file.path or is_part(file.path.rpartition("/")[2])):
            nameless.append(file.path)
    for file in absent:
        place = _place(file.path, roots, names, rules)
        if not isinstance(place, str):
            owned[place].append(file)
    groups = _split_mixed(
        [
            FileGroup(
                *(location, kind, tuple(files), partitioned),
                because=told.get(location, KEYS) if partitioned else None,
            )
            for (location, kind, partitioned), files in owned.items()
        ],
        {file.path for file in absent},
        told,
    )
    groups = exported(groups, hidden, nameless, told)
    groups, taken = with_owners(with_datasets(groups, owners, told), owners, roots, told)
    groups = foreign_named(groups, roots, nameless)
    whole = whole_or_unreadable(groups, roots, listing)
    ordered = tuple(sorted(whole.groups, key=lambda group: group.location))
    counts = skipped + taken + Counter(whole.skipped) + _unnamed(nameless)
    counts[NAMELESS] -= _unnamed(nameless).total()
    beside = _beside(ordered, unnamed)
    return Grouping(ordered, dict(+counts), whole.left_out, owners, beside)


def _beside(
    groups: Iterable[FileGroup], files: Sequence[FileInfo]
) -> tuple[tuple[FileInfo, str], ...]:
    """The files that lie in a folder with files of a table of several, with its location."""
    if not files:
        return ()
    tables = {
        file.path.rpartition("/")[0]: group.location
        for group in groups
        if group.partitioned
        for file in group.files
    }
    folders = ((file, file.path.rpartition("/")[0]) for file in files)
    return tuple((file, tables[folder]) for file, folder in folders if folder in tables)


def unnamed_parts(listing: Listing) -> dict[str, FileInfo]:
    """The first of the parts whose names promise no format, by their table's folder."""
    names = _Names({ending: known.name for known in formats.FORMATS for ending in known.endings})
    found: dict[str, FileInfo] = {}
    for file in listing.files:
        if names.format_of(file.path) is not None or not file.size_bytes:
            continue
        root = _root_of_part(file.path)
        if root is not None and not any(map(is_hidden, file.path.split("/"))):
            found.setdefault(root, file)
    return found


def _root_of_part(path: str) -> str | None:
    """The folder of the table that a part by a writer's name is of."""
    if not is_part(path.rpartition("/")[2]):
        return None
    root = _partition_root(path)
    return table_folder(path) if root is None else root


def _unnamed(nameless: Iterable[str]) -> Counter[str]:
    """The count of parts that are of no format by their names and first bytes, with the remedy."""
    paths = [path for path in nameless if is_part(path.rpartition("/")[2])]
    folders = sorted({_root_of_part(path) or "the lake" for path in paths})
    named = ", ".join(folders[:NAMED]) + (
        f" and {len(folders) - NAMED} more" if folders[NAMED:] else ""
    )
    reason = (
        f"parts without an ending that are no Parquet, ORC or Avro, in {named}: text has no type"
        " without one; name them .csv, .json, …"
    )
    return Counter({reason: len(paths)} if paths else {})


@dataclass(frozen=True, slots=True)
class _Names:
    """The formats that names promise, by their ending; of parts without one, by their table."""

    endings: Mapping[str, str]
    roots: Mapping[str, str] = field(default_factory=dict)

    def format_of(self, path: str) -> str | None:
        """The format of a file, None where it is no data file's."""
        parts = path.rpartition("/")[2].lower().rsplit(".", 2)
        named = self.endings.get(f".{parts[-1]}") or self.endings.get("." + ".".join(parts[-2:]))
        if named is None and self.roots and (root := _root_of_part(path)) is not None:
            return self.roots.get(root)
        return named


def _with_folders_of(owners: Owners, roots: dict[str, str]) -> dict[str, str]:
    """The folders of tables, and those that owners have to themselves.

    One that a table by its own marker lies in is not theirs alone. A partition with the marker of a
    format that is not read is no such table.
    """
    homes = {above_keys(root) if kind == Format.OTHER else root for root, kind in roots.items()}
    above = {folder for home in homes for folder in folders_above(home)}
    for folder, owner in owners.roots().items():
        if folder not in above and (folder or owner.location == folder):
            roots.setdefault(folder, Format.OTHER)
    return roots


def _place(
    path: str, roots: Mapping[str, str], names: "_Names", rules: Sequence[TableRule]
) -> tuple[str, str, bool] | str:
    """The location, format and partitioning of the file's table; why it has none, otherwise."""
    root = _root_of(path, roots)
    if root is not None:
        return root, roots[root], False
    if any(map(is_hidden, path.split("/"))):
        return HIDDEN
    kind = names.format_of(path)
    if kind is None:
        return NAMELESS
    if ruled := _ruled(path, rules):
        location, rule = ruled
        return location, kind, rule.folder is not None
    folder = _partition_root(path)
    return (path, kind, False) if folder is None else (folder, kind, True)


def _ruled(path: str, rules: Sequence[TableRule]) -> tuple[str, TableRule] | None:
    """The location that the last rule which matches gives the file's table, and that rule."""
    for rule in reversed(rules):
        for location in [path] if rule.files is not None else folders_above(path):
            if rule.matches(location):
                return location, rule
    return None


def _told(files: Iterable[FileInfo], rules: Sequence[TableRule]) -> dict[str, str]:
    """The rule, as it is written, of each table's location that a rule gives."""
    ruled = (_ruled(file.path, rules) for file in files if rules)
    return {location: rule.written for location, rule in filter(None, ruled)}


def _table_folders(files: Sequence[FileInfo], absent: Iterable[FileInfo]) -> dict[str, str]:
    """The folders that a format claims as a whole, with the format's name.

    What is absent may be a folder of any content, so one with a marker's name claims as it would.
    """
    roots: dict[str, str] = {}
    markers = [(known.marker, known.name) for known in formats.FORMATS if known.marker]
    for file in files:
        path = f"/{file.path}"
        for marker, name in markers:
            if match := marker.search(path):
                roots.setdefault(path[1 : match.start()], name)
                break
    for file in absent:
        for marker, name in markers:
            path = f"/{file.path}"
            if match := marker.search(path) or marker.search(f"{path}/"):
                roots.setdefault(path[1 : match.start()], name)
            elif match := marker.search(f"{path}/v1.metadata.json"):
                folder = path[1 : match.start()]
                if _may_be_iceberg(folder, files):
                    roots.setdefault(folder, name)
    return roots


def _may_be_iceberg(folder: str, files: Iterable[FileInfo]) -> bool:
    """Whether a folder, whose `metadata` is not known, has files where Iceberg has its data.

    The lake's own files need not be of one table, so `metadata` beside them says nothing.
    """
    inside = f"{folder}/" if folder else ""
    return any(
        file.path.startswith(f"{inside}data/")
        or (folder and file.path.rpartition("/")[0] == folder)
        for file in files
    )


def _root_of(path: str, roots: Mapping[str, str]) -> str | None:
    if not roots:
        return None
    parts = path.split("/")[:-1]
    for depth in range(len(parts) + 1):
        root = "/".join(parts[:depth])
        if root in roots:
            return root
    return None


def _partition_root(path: str) -> str | None:
    parts = path.split("/")
    for depth, part in enumerate(parts[:-1]):
        if part.find("=") > 0:
            rest = [part for part in parts[depth:-1] if not is_union_folder(part)]
            return "/".join(parts[:depth]) if all(p.find("=") > 0 for p in rest) else None
    return None


def _split_mixed(
    groups: Sequence[FileGroup], absent: Collection[str], told: Collection[str]
) -> list[FileGroup]:
    """The groups, those folders taken apart whose files do not form one table.

    Such a file may well be a part of a table, so it must be kept; so may one beside their
    partitions, or below one in another folder. What is absent decides only where nothing else is
    there.
    """
    present = {
        id(group): [file for file in group.files if file.path not in absent] for group in groups
    }
    at = Counter(group.location for group in groups if group.partitioned and present[id(group)])
    whole: list[FileGroup] = []
    apart: set[tuple[str, str]] = set()
    for group in groups:
        files = present[id(group)]
        if not group.partitioned:
            whole.append(group)
        elif not files:
            if not at[group.location]:
                at[group.location] += 1
                whole.append(group)
        elif at[group.location] > 1 or len(_partition_keys(group.location, files)) > 1:
            reason = (
                f"it may be a part of {group.location or 'the lake'}, a folder of partitions whose"
                " files are of several formats or have several sets of keys"
            )
            whole += [
                FileGroup(file.path, group.format, (file,), must_keep=reason) for file in files
            ]
            apart.add((group.location, group.format))
        else:
            whole.append(group)
    return [_kept_by_partitions(group, apart, told) for group in whole]


def _kept_by_partitions(
    group: FileGroup, apart: Collection[tuple[str, str]], told: Collection[str]
) -> FileGroup:
    """The group; one file that lies beside folders of partitions, or below one, must be kept."""
    folder = group.location.rpartition("/")[0]
    if group.must_keep or group.location in told or not _is_file(group):
        return group
    if (folder, group.format) in apart:
        reason = f"it may be a part of {folder or 'the lake'}: it lies beside folders of partitions"
    elif "=" in folder and any(name.find("=") > 0 for name in folder.split("/")):
        reason = f"it may be a part of a table: it lies below a folder of partitions ({folder})"
    else:
        return group
    return replace(group, must_keep=reason)


def _is_file(group: FileGroup) -> bool:
    return [file.path for file in group.files] == [group.location]


def _partition_keys(location: str, files: Iterable[FileInfo]) -> set[tuple[str, ...]]:
    """The keys in the folder names of each file; one tuple where all files have the same."""
    return {tuple(key for key, _ in partitions_of(file.path, location)) for file in files}
