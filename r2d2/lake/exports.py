"""Folders that a writer wrote as one table: told by their files' names and the markers beside them.

A name is a *part* as a known writer leaves it (`part-00000-…`, `000000_0`, `data_0.parquet`);
*nothing but a number or an id* (`0001.parquet`, `chunk_3.csv`), which a writer and a person may
have given alike; or it *says something* (`flights_2013-01`, `orders_DE`), and is a table's own.

Parts, and whatever lies with no telling name beside a job's marker (`_SUCCESS`), are one table.
Who deletes one part leaves a table that is still read, with fewer rows and no error; so where it
cannot be told, nothing is deleted.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from r2d2.lake.file_group import FileGroup
from r2d2.model import Table
from r2d2.storage.local import is_hidden

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DAY = r"(?:19|20)[0-9]{2}[-_.]?(?:0[1-9]|1[0-2])"  # the year and month, at least
_DUCKDB = r"data_[0-9]+(?:\..*)?"
_WRITERS: tuple[tuple[str, str], ...] = (
    (
        "Spark, Hadoop, Flink, dask and pyarrow",
        rf"(?:run-\w+-|compacted-)?part[-.](?:block-[0-9]+-[0-9]+-)?(?:[rm]-)?"
        rf"(?:{_UUID}-)?[0-9]+(?:[-.].*)?",
    ),
    ("Hive", rf"(?!{_DAY})[0-9]{{6}}_[0-9]{{1,3}}(?:_copy_[0-9]+)?(?:\..*)?"),
    (
        "Trino and Athena",
        rf"(?:[0-9]+_)?[0-9]{{8}}_[0-9]{{6}}_[0-9]{{5}}_[a-z0-9]{{5}}[-_]{_UUID}(?:\..*)?",
    ),
    ("Impala", r"[0-9a-f]{16}-?[0-9a-f]{8,16}_[0-9]+_data\.[0-9]+(?:\..*)?"),
    ("polars", r"0000[0-9]{4}(?:\..*)?"),
    ("DuckDB", _DUCKDB),
    ("Snowflake", rf"data_(?:{_UUID}_)?[0-9]+_[0-9]+_[0-9]+(?:\..*)?"),
    ("BigQuery", r"(?P<bigquery>.+[-_.])?00000000[0-9]{4}(?:\..*)?"),
    ("Redshift", r"(?P<redshift>.+?)?[0-9]{4}_part_[0-9]{2,}(?:\..*)?"),
    ("pandas and pyarrow", rf"(?:{_UUID}|[0-9a-f]{{32}})-[0-9]+(?:\..*)?"),
    ("Hugging Face", r"(?P<shards>.+-)?[0-9]{5}-of-[0-9]{5}(?:\..*)?"),
    ("Kafka Connect", r"(?P<topic>.+)\+[0-9]+\+[0-9]{10}(?:\..*)?"),
)
"""Writers, and the names that they give to the parts of a table; a named group is what the table is
called in them."""
_PART = re.compile("|".join(f"(?:{names})" for _, names in _WRITERS), re.IGNORECASE)
_BY_WRITER = [(writer, re.compile(names, re.IGNORECASE)) for writer, names in _WRITERS]
_DUCKDB_PART = re.compile(_DUCKDB, re.IGNORECASE)
_DUCKDB_FIRST = re.compile(r"data_0(?:\..*)?", re.IGNORECASE)
_UNION_FOLDER = re.compile(r"HIVE_UNION_SUBDIR_[0-9]+")

_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata")
_MARKER_STARTS = ("_committed_", "_started_")
_UNFINISHED_STARTS = ("_temporary", ".spark-staging", ".hive-staging")

_GENERIC_WORDS = """
part parts chunk chunks data dataset file files batch batches export exports output out
result results split splits shard shards page pages segment segments block blocks slice slices
piece pieces fragment fragments unload partition bucket seq no nr num
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
"""Words that stand before a number and say no more than that there are several."""
_DATE = re.compile(
    rf"(?<![0-9])(?:{_DAY}(?:[-_.]?(?:0[1-9]|[12][0-9]|3[01]))?|(?:19|20)[0-9]{{2}})(?![0-9])"
)
_BARE_DATE = re.compile(r"[^0-9]*[0-9]{4,8}[^0-9]*")
_IDS = re.compile(rf"{_UUID}|(?<![0-9a-z])[0-9a-f]{{16,}}(?![0-9a-z])", re.IGNORECASE)
_ENDINGS = re.compile(r"(?:\.\w*[a-z]\w*)+$", re.IGNORECASE)
_TOKENS = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SECOND_DATE = r"(?:19|20)[0-9]{2}[-.][0-9]{2}|[0-9]{8}"  # of a span: `2024-01-01_2024-01-31`
_CLOCK = (
    rf"[tT_ .-]*(?!{_SECOND_DATE})"
    r"(?:[01][0-9]|2[0-3])[-:.]?[0-5][0-9](?:[-:.]?[0-5][0-9])?[0-9.]*[zZ]?"
)
_INSTANT = re.compile(
    rf"(?<![0-9]){_DAY}[-_.]?(?:0[1-9]|[12][0-9]|3[01]){_CLOCK}(?![0-9])", re.IGNORECASE
)


class NameKind(Enum):
    """The three things that the name of a data file may be."""

    PART = "a part as a writer leaves it"
    NUMBER_OR_ID = "nothing but a number or an id"
    TELLING = "says something"


@dataclass(frozen=True, slots=True)
class FolderMarks:
    """The names of markers in a folder, and of what a job leaves there until it is done."""

    markers: frozenset[str]
    unfinished: frozenset[str]


def is_part(name: str) -> bool:
    """Whether a known writer calls a part of a table so."""
    return _PART.fullmatch(name) is not None


def table_folder(path: str) -> str:
    """The folder whose part the file would be: Hive's unions leave parts one folder deeper."""
    folder = path.rpartition("/")[0]
    while is_union_folder(folder.rpartition("/")[2]):
        folder = folder.rpartition("/")[0]
    return folder


def is_union_folder(name: str) -> bool:
    """Whether Hive calls a folder so that holds one branch of a UNION ALL."""
    return _UNION_FOLDER.fullmatch(name) is not None


def name_kind(name: str, folder: str, names: Collection[str]) -> NameKind:
    """The kind of a file's name in its folder, beside the `names` of all its data files."""
    # People call files `data_2` as well; DuckDB counts from 0.
    if is_part(name) and (
        not _DUCKDB_PART.fullmatch(name) or any(map(_DUCKDB_FIRST.fullmatch, names))
    ):
        return NameKind.PART
    stem = _stem(name)
    if _says_a_day(stem, names) or not _is_number_or_id(stem, folder):
        return NameKind.TELLING
    return NameKind.NUMBER_OR_ID


def _stem(name: str) -> str:
    """The name before its format's ending and its compression's."""
    return _ENDINGS.sub("", name) or name


def _says_a_day(stem: str, names: Collection[str]) -> bool:
    """Whether the name tells a year, month or day: a slice of time, not a time of writing.

    Digits alone may be a number as well, so all names of that form must be dates.
    """
    if _DATE.search(stem) is None or _IDS.search(stem) or _INSTANT.search(stem):
        return False
    if not _BARE_DATE.fullmatch(stem):
        return True
    form = _form(stem)
    alike = [other for other in map(_stem, names) if _form(other) == form]
    return all(map(_DATE.search, alike))


def _form(stem: str) -> str:
    return re.sub("[0-9]", "0", stem)


def _is_number_or_id(stem: str, folder: str) -> bool:
    """Whether nothing is left of the name without numbers, ids and words that say nothing."""
    rest, instants = _INSTANT.subn(" ", stem)
    rest, ids = _IDS.subn(" ", rest)
    own = {word.lower() for word in _LETTERS.findall(folder.rpartition("/")[2])}
    numbers = instants + ids
    for token in _TOKENS.findall(rest):
        if _is_id(token):
            numbers += 1
            continue
        numbers += any(map(str.isdigit, token))
        words = (word.lower() for word in _LETTERS.findall(token))
        if not all(word in _GENERIC or word in own for word in words):
            return False
    return numbers > 0


def _is_id(token: str) -> bool:
    """Whether the token is hexadecimal, or letters and digits mixed as only a machine does it."""
    digits = sum(map(str.isdigit, token))
    if not digits or digits == len(token):
        return digits > 0
    if len(token) >= 8 and re.fullmatch("[0-9a-fA-F]+", token):
        return True
    borders = len(re.findall(r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])", token))
    return len(token) >= 12 and borders >= 4


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
    `settled` those of files that are tables by a rule of the user's.
    """
    marks = marks_of(hidden)
    result = [group for group in groups if not _is_open(group, settled)]
    taken = {group.location for group in result if group.partitioned}
    folders: dict[str, dict[str, list[FileGroup]]] = defaultdict(lambda: defaultdict(list))
    for group in groups:
        if _is_open(group, settled):
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
    return _with_marks(result, marks, nameless)


def _is_open(group: FileGroup, settled: Collection[str]) -> bool:
    """Whether the group is a file of which it is not known what table it is of."""
    is_file = [file.path for file in group.files] == [group.location]
    return is_file and group.must_keep is None and group.location not in settled


def _judged(folder: str, files: Sequence[FileGroup], markers: Collection[str]) -> list[FileGroup]:
    """The folder's files of one format as one table, as tables, or as what cannot be told."""
    names = [group.location.rpartition("/")[2] for group in files]
    kinds = [name_kind(name, folder, names) for name in names]
    by_kind: dict[NameKind, list[FileGroup]] = defaultdict(list)
    for group, kind in zip(files, kinds, strict=True):
        by_kind[kind].append(group)
    parts, numbered = by_kind[NameKind.PART], by_kind[NameKind.NUMBER_OR_ID]
    telling = by_kind[NameKind.TELLING]
    if markers and not telling:
        parts, numbered = list(files), []
    called = {_called(group.location.rpartition("/")[2]) for group in parts}
    if len(called) > 1:
        shown = ", ".join(sorted(called)[:3])
        return _kept(files, f"the parts in {_shown(folder)} are of several tables ({shown})")
    if not parts and markers and len(files) > 1:
        return _kept(files, f"{min(markers)} says that one job wrote {_shown(folder)}")
    if len(numbered) > 1:
        numbered = [replace(group, may_be_part_of=_shown(folder)) for group in numbered]
    if not parts:
        return [*numbered, *telling]
    whole = FileGroup(
        folder,
        parts[0].format,
        tuple(sorted((f for group in parts for f in group.files), key=lambda file: file.path)),
        partitioned=True,
        because=_because([group.location.rpartition("/")[2] for group in parts], markers),
    )
    return [whole, *numbered, *telling]


def _called(name: str) -> str:
    """What the table is called in the name of its part, which BigQuery puts before the number."""
    for _, names in _BY_WRITER:
        if match := names.fullmatch(name):
            return next((value for value in match.groupdict().values() if value), "")
    return ""


def _because(names: Sequence[str], markers: Collection[str]) -> str:
    writers = Counter(_writer(name) for name in names if is_part(name))
    told = [f"part names of {writer}" for writer, _ in writers.most_common(2)]
    return " and ".join([*told, *sorted(markers)[:1]])


def _writer(name: str) -> str:
    return next(writer for writer, names in _BY_WRITER if names.fullmatch(name))


def _kept(files: Iterable[FileGroup], reason: str) -> list[FileGroup]:
    return [
        replace(group, must_keep=group.must_keep or f"{reason}; {remedy(group.location)}")
        for group in files
    ]


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
    folder_of = {g.location: g.may_be_part_of for g in groups if g.may_be_part_of is not None}
    if not folder_of:
        return list(tables)
    sets: dict[tuple[str, str], Counter[frozenset[str]]] = defaultdict(Counter)
    for table in tables:
        if table.location in folder_of:
            sets[folder_of[table.location], table.format][_column_names(table)] += 1
    found = []
    for table in tables:
        folder = folder_of.get(table.location)
        if folder is not None and _has_alike(_column_names(table), sets[folder, table.format]):
            reason = f"it may be a part of {folder}: its name is nothing but a number or an id"
            kept = table.must_keep or f"{reason}; {remedy(table.location)}"
            table = replace(table, must_keep=kept)
        found.append(table)
    return found


def _column_names(table: Table) -> frozenset[str]:
    """The names in lower case; none where the table could not be read."""
    return frozenset(column.path[0].lower() for column in table.columns)


def _has_alike(names: frozenset[str], counts: Counter[frozenset[str]]) -> bool:
    return counts[names] > 1 or any(
        other <= names or names <= other for other in counts if other != names
    )


def remedy(location: str) -> str:
    """The lines of a settings file that settle whether the file is a part or a table."""
    folder = table_folder(location)
    name = location.rpartition("/")[2]
    files = f"{_pattern(folder)}/*" if folder else "*"
    files += _pattern(name[len(_stem(name)) :])
    one = json.dumps(_pattern(folder) or ".", ensure_ascii=False)
    each = json.dumps(files, ensure_ascii=False)
    return f"settle it: [[table]] folder = {one} for one table, or files = {each} for one a file"


def _pattern(path: str) -> str:
    """The pattern that matches that path alone."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _shown(folder: str) -> str:
    return folder or "the lake"
