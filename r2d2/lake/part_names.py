"""Names of files and folders: a writer's part, a number or an id, or something that is said.

A name is a *part* as a known writer leaves it (`part-00000-…`, `000000_0`, `data_0.parquet`);
*a number or an id*, alone (`0001.parquet`, `chunk_3.csv`) or as all that tells it from others of
its folder (`orders-1-of-4`, `stream-1-<uuid>`, `orders-aa`), which a writer and a person may have
given alike; or it *says something* (`flights_2013-01`, `orders_DE`, `orders_v2`).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from r2d2.lake.name_forms import IDS, INSTANT, UUID, YEAR_AND_MONTH, Forms, is_id, stem

_DUCKDB = r"data_[0-9]+(?:\..*)?"
_WRITERS: tuple[tuple[str, str], ...] = (
    (
        "Spark, Hadoop, Flink, dask and pyarrow",
        rf"(?:run-\w+-|compacted-)?part[-.](?:block-[0-9]+-[0-9]+-)?(?:[rm]-)?"
        rf"(?:{UUID}-)?[0-9]+(?:[-.].*)?",
    ),
    ("Hive", rf"(?!{YEAR_AND_MONTH})[0-9]{{6}}_[0-9]{{1,3}}(?:_copy_[0-9]+)?(?:\..*)?"),
    (
        "Trino and Athena",
        rf"(?:[0-9]+_)?[0-9]{{8}}_[0-9]{{6}}_[0-9]{{5}}_[a-z0-9]{{5}}[-_]{UUID}(?:\..*)?",
    ),
    ("Impala", r"[0-9a-f]{16}-?[0-9a-f]{8,16}_[0-9]+_data\.[0-9]+(?:\..*)?"),
    ("polars", r"0000[0-9]{4}(?:\..*)?"),
    ("DuckDB", _DUCKDB),
    ("Snowflake", rf"data_(?:{UUID}_)?[0-9]+_[0-9]+_[0-9]+(?:\..*)?"),
    ("BigQuery", r"(?P<bigquery>.+[-_.])?00000000[0-9]{4}(?:\..*)?"),
    ("Redshift", r"(?P<redshift>.+?)?[0-9]{4}_part_[0-9]{2,}(?:\..*)?"),
    ("pandas and pyarrow", rf"(?:{UUID}|[0-9a-f]{{32}})-[0-9]+(?:\..*)?"),
    ("Hugging Face", r"(?P<shards>.+-)?[0-9]{5}-of-[0-9]{5}(?:\..*)?"),
    ("Kafka Connect", r"(?P<topic>.+)\+[0-9]+\+[0-9]{10}(?:\..*)?"),
)
"""Writers, and the names that they give to the parts of a table; a named group is what the table is
called in them."""
_PART = re.compile("|".join(f"(?:{names})" for _, names in _WRITERS), re.IGNORECASE)
_BY_WRITER = [(writer, re.compile(names, re.IGNORECASE)) for writer, names in _WRITERS]
_DUCKDB_PART = re.compile(_DUCKDB, re.IGNORECASE)
_DUCKDB_FIRST = re.compile(r"data_0(?:\..*)?", re.IGNORECASE)

_GENERIC_WORDS = """
part parts chunk chunks data dataset file files batch batches export exports output out
result results split splits shard shards page pages segment segments block blocks slice slices
piece pieces fragment fragments unload partition bucket seq no nr num
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
"""Words that stand before a number and say no more than that there are several."""
_PIECES = frozenset(["part", "chunk", "split", "shard", "slice", "piece", "fragment", "segment"])
_BROWSERS_COPY = re.compile(r"(?: - copy)?(?: ?\([0-9]+\))?$| copy(?: [0-9]+)?$", re.IGNORECASE)
_PIECE_LAST = re.compile(rf"[-_. ]+(?:{'|'.join(_PIECES)})$", re.IGNORECASE)
_TOKENS = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")


class NameKind(Enum):
    """The three things that the name of a data file may be."""

    PART = "a part as a writer leaves it"
    NUMBER_OR_ID = "a number or an id, alone or as all that tells it from others"
    TELLING = "says something"


@dataclass(frozen=True, slots=True)
class Name:
    """A file's name as judged among the others of its folder.

    `form` has `#` for the number or id that tells it from others; empty if it is nothing else.
    """

    kind: NameKind
    form: str = ""


def is_part(name: str) -> bool:
    """Whether a known writer calls a part of a table so."""
    return _PART.fullmatch(name) is not None


def called(name: str) -> str:
    """What the table is called in the name of its part, which BigQuery puts before the number."""
    for _, names in _BY_WRITER:
        if match := names.fullmatch(name):
            return next((value for value in match.groupdict().values() if value), "")
    return ""


def writer(name: str) -> str:
    """The writer that calls its parts so."""
    return next(writer for writer, names in _BY_WRITER if names.fullmatch(name))


def judged_names(names: Sequence[str], folder: str) -> list[Name]:
    """What each name of a folder's data files of one format is, in time linear in their number."""
    # People call files `data_2` as well; DuckDB counts from 0.
    is_duckdbs = any(map(_DUCKDB_FIRST.fullmatch, names))
    stems = [
        None if is_part(name) and (is_duckdbs or not _DUCKDB_PART.fullmatch(name)) else stem(name)
        for name in names
    ]
    found = set(filter(None, stems))
    bases = {each: _original(each, found) for each in found}
    originals = set(bases.values())
    forms = Forms.of(originals)
    own = frozenset(word.lower() for word in _LETTERS.findall(folder.rpartition("/")[2]))
    kinds = {each: _kind(each, forms, own) for each in originals}
    for first, numbered in _firsts(forms).items():
        both = [kinds[first], kinds[numbered], Name(NameKind.NUMBER_OR_ID, forms.forms[numbered])]
        judged = next(each for each in both if each.kind is not NameKind.TELLING)
        kinds |= {
            each: judged for each in (first, numbered) if kinds[each].kind is NameKind.TELLING
        }
    return [Name(NameKind.PART) if each is None else kinds[bases[each]] for each in stems]


def _original(stem: str, stems: Collection[str]) -> str:
    """What it is a copy of as a browser or a desktop names them (`orders (1)` beside `orders`)."""
    original = _BROWSERS_COPY.sub("", stem) if stem[-1] in ")yY" or " " in stem else stem
    return original if original in stems else stem


def _kind(stem: str, forms: Forms, own: Collection[str]) -> Name:
    if stem not in forms.said and _is_number_or_id(stem, own):
        return Name(NameKind.NUMBER_OR_ID)
    form = forms.forms[stem]
    if forms.counts[form] < 2 or "#" not in form:
        return Name(NameKind.TELLING)
    return Name(NameKind.NUMBER_OR_ID, form if form != "#" else "")


def _firsts(forms: Forms) -> dict[str, str]:
    """The names whose parts go on with a number (ClickHouse's `orders`, `orders.1`), with one such.

    A single other with a higher number, or with no gap before it, may be anything.
    """
    others: dict[str, list[str]] = defaultdict(list)
    found = {}
    for each, form in sorted(forms.forms.items()):
        start = each.rstrip("0123456789")
        if start == each or form[-1:] != "#" or each in forms.made:
            continue
        first = start.rstrip("-_. ")
        first = first if first in forms.forms else _PIECE_LAST.sub("", first)
        if first in forms.forms:
            others[first].append(each)
            if len(others[first]) > 1 or (first != start and float(each[len(start) :]) <= 2):
                found[first] = each
    return found


def _is_number_or_id(stem: str, own: Collection[str]) -> bool:
    """Whether nothing is left of the name without numbers, ids and words that say nothing.

    `own` are the words of the folder's name.
    """
    rest, instants = INSTANT.subn(" ", stem)
    rest, ids = IDS.subn(" ", rest)
    numbers = instants + ids
    tokens = _TOKENS.findall(rest)
    is_piece = any(token.lower() in _PIECES for token in tokens)
    for token in tokens:
        if is_id(token) or (is_piece and len(token) == 1):
            numbers += 1
            continue
        numbers += any(map(str.isdigit, token))
        words = (word.lower() for word in _LETTERS.findall(token))
        if not all(word in _GENERIC or word in own for word in words):
            return False
    return numbers > 0
