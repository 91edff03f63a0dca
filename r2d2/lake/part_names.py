"""Names of files and folders: a writer's part, a number or an id, or something that is said.

A name is a *part* as a known writer leaves it (`part-00000-…`, `000000_0`, `data_0.parquet`);
*a number or an id*, alone (`0001.parquet`, `chunk_3.csv`) or as all that tells it from others of
its folder (`orders-1-of-4`, `stream-1-<uuid>`, `orders-aa`), which a writer and a person may have
given alike; or it *says something* (`flights_2013-01`, `orders_DE`, `orders_v2`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from r2d2.formats import FORMATS

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

_GENERIC_WORDS = """
part parts chunk chunks data dataset file files batch batches export exports output out
result results split splits shard shards page pages segment segments block blocks slice slices
piece pieces fragment fragments unload partition bucket seq no nr num
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
"""Words that stand before a number and say no more than that there are several."""
_PIECES = frozenset(["part", "chunk", "split", "shard", "slice", "piece", "fragment", "segment"])
_QUARTER = r"[-_. ]?(?:q[1-4]|w(?:0[1-9]|[1-4][0-9]|5[0-3]))"
_MONTH_FIRST = r"(?:(?:0[1-9]|[12][0-9]|3[01])[-_.]?){1,2}(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?<![0-9])(?:[1-4]q[-_. ]?)?(?:{_DAY}(?:[-_.]?(?:0[1-9]|[12][0-9]|3[01]))?|{_MONTH_FIRST}"
    rf"|(?:19|20)[0-9]{{2}})(?:{_QUARTER})?(?![0-9])"
)
_SPAN = (
    r"(?<![^\W\d_])(?:m(?:0?[1-9]|1[0-2])|q[1-4]|fy[-_ ]?(?:[0-9]{2}){1,2}"
    r"|(?:year|quarter|month|week|day)[-_. ]?[0-9]{1,4})(?![^\W_])"
)
_SLICE = re.compile(rf"{_DATE}|{_SPAN}")
"""A year, month or day: the slice of time that the rows are of."""
_EDITION = (
    r"(?<![^\W\d_])(?:(?:v|ver|version|rev|revision|release)[-_. ]?"
    r"[0-9]+(?:\.[0-9]{1,2}(?![0-9]))*|(?:copy|backup|bak|snapshot)[-_. (]{0,2}[0-9]+"
    r"|(?:u?int|float|utf|decimal)[-_]?[0-9]+(?![^\W_]))"
)
"""A version, copy or type: no writer counts its parts so."""
_COUNTER = r"(?<![^\W_])(?=(?:[a-f]*[0-9]){2})[0-9a-f]{4,}(?![^\W_])|[0-9]+"
_IN_SLICE = re.compile(rf"(?P<said>{_SLICE.pattern}|{_EDITION})|{_COUNTER}")
_IN_NUMBER = re.compile(rf"(?P<said>{_EDITION})|{_COUNTER}")
_LONG = re.compile(r"(?<![^\W_])(?=[a-z]*[0-9])[0-9a-z]{8,}(?![^\W_])")
_GAPS = re.compile(r"[^\w#]+|_+")
_IDS = re.compile(
    rf"{_UUID}|(?<![0-9a-z])[0-9a-f]{{16,}}(?![0-9a-z])"
    r"|(?<![0-9])1[0-9]{9}(?:[0-9]{3}){0,3}(?![0-9])",  # seconds since 1970, or parts of them
    re.IGNORECASE,
)
_BROWSERS_COPY = re.compile(r"(?: - copy)?(?: ?\([0-9]+\))?$| copy(?: [0-9]+)?$", re.IGNORECASE)
_PIECE_LAST = re.compile(rf"[-_. ]+(?:{'|'.join(_PIECES)})$", re.IGNORECASE)
_BORDER = re.compile("(?=[0-9][a-z]|[a-z][0-9])", re.IGNORECASE)
_TWO_FOR_TO = re.compile("(?:[a-z]2[a-z]|[a-z]{2,}2[a-z]{2,})$")  # `b2c`, `en2de`
_SAYING = re.compile(rf"{_SLICE.pattern}|{_EDITION}")
_CODECS = r"c[0-9]{3}|snappy|gz|gzip|zst|zstd|lz4|lz4_raw|bz2|br|brotli|lzo|deflate|xz|z"
_FORMATS = "|".join(re.escape(ending) for known in FORMATS for ending in known.endings)
_ENDINGS = re.compile(rf"(?:\.(?:{_CODECS}))*(?:{_FORMATS})$", re.IGNORECASE)
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_BELOW_YEAR = {1: re.compile("0?[1-9]|1[0-2]"), 2: re.compile("0?[1-9]|[12][0-9]|3[01]")}
_TOKENS = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SECOND_DATE = r"(?:19|20)[0-9]{2}[-.][0-9]{2}|[0-9]{8}"  # of a span: `2024-01-01_2024-01-31`
_CLOCK = (
    rf"[tT_ .-]*(?!{_SECOND_DATE})"
    r"(?:[01][0-9]|2[0-3])[-:.]?[0-5][0-9](?:[-:.]?[0-5][0-9])?[0-9.]*[zZ]?"
)
_MOMENT = rf"(?<![0-9]){_DAY}[-_.]?(?:0[1-9]|[12][0-9]|3[01]){_CLOCK}(?![0-9])"
_INSTANT = re.compile(_MOMENT, re.IGNORECASE)
_MADE = re.compile(
    rf"(?P<edition>(?:copy|backup|bak|snapshot)[-_. ]?{_MOMENT})|{_IDS.pattern}|{_MOMENT}",
    re.IGNORECASE,
)


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


def stem(name: str) -> str:
    """The name before its format's ending and its compression's."""
    return _ENDINGS.sub("", name) or name


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


def _kind(stem: str, forms: "Forms", own: Collection[str]) -> Name:
    if stem not in forms.said and _is_number_or_id(stem, own):
        return Name(NameKind.NUMBER_OR_ID)
    form = forms.forms[stem]
    if forms.counts[form] < 2 or "#" not in form:
        return Name(NameKind.TELLING)
    return Name(NameKind.NUMBER_OR_ID, form if form != "#" else "")


def _firsts(forms: "Forms") -> dict[str, str]:
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


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of names beside each other: `#` for each number or id. `said` tell a slice of time.

    `made` have a moment or an id in them, which a machine gave; `ids` differ by a short one.
    """

    forms: dict[str, str]
    ids: dict[str, str]
    counts: Counter[str]
    said: frozenset[str]
    made: frozenset[str]

    @classmethod
    def of(cls, stems: Collection[str]) -> "Forms":
        """The forms; digits alone may be a number, so all names of one spelling must be dates."""
        made = {each for each in stems if _IDS.search(each) or _INSTANT.search(each)}
        alike: dict[str, list[str]] = defaultdict(list)
        for each in stems:
            alike[re.sub("[0-9]+", "0", each)].append(each)
        said: set[str] = set()
        for others in alike.values():
            if all(each not in made and _SLICE.search(each.lower()) for each in others):
                said.update(others)
        forms = {each: _form(each, each in said) for each in stems} | _split_forms(stems)
        unsaid = {each: form for each, form in forms.items() if each not in said}
        forms |= (ids := _short_id_forms(unsaid, made))
        return cls(forms, ids, Counter(forms.values()), frozenset(said), frozenset(made))


def _form(stem: str, is_slice: bool) -> str:
    text = stem
    if len(text) >= 8:
        text = _MADE.sub(lambda match: match["edition"] or "#", text)
    text = re.sub("(?<=[a-z])V(?=[0-9])", "_v", text).lower()
    text = _LONG.sub(_id_masked, text)
    pattern = _IN_SLICE if is_slice else _IN_NUMBER
    text = pattern.sub(lambda match: match["said"] or "#", text)
    return _GAPS.sub("_", text).strip("_")


def _id_masked(match: re.Match[str]) -> str:
    return "#" if _is_id(match[0]) and not _SLICE.search(match[0]) else match[0]


def counted(name: str) -> str:
    """The name with `*` for each number and id."""
    return re.sub("[0-9]+", "*", _IDS.sub("*", name))


@dataclass(frozen=True, slots=True)
class FolderShapes:
    """The paths of folders with `#` for each number or id; years, months and days below each other
    stay, where no moment or id in the file's own name says that a machine gave them."""

    siblings: dict[str, "Forms"]
    known: dict[tuple[str, bool], tuple[str, int]]

    @classmethod
    def of(cls, paths: Iterable[Sequence[str]]) -> "FolderShapes":
        """The shapes of folders, each given with those that it lies in."""
        inside: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            for above, folder in pairwise(path):
                inside[above].add(folder.rpartition("/")[2])
        return cls({above: Forms.of(names) for above, names in inside.items()}, {})

    def of_path(self, folder: str, file: str) -> str | None:
        """The shape of the folder and of the file in it; None where no folder has a number."""
        is_made = bool(_IDS.search(file) or _INSTANT.search(file))
        shape, _ = self._of_folder(folder, is_made)
        return f"{shape}/{_form(stem(file), not is_made)}" if "#" in shape else None

    def _of_folder(self, folder: str, is_made: bool) -> tuple[str, int]:
        """The shape, and how many of year, month and day its last names are."""
        if not folder:
            return "", 0
        if found := self.known.get((folder, is_made)):
            return found
        above, _, name = folder.rpartition("/")
        shape, dated = self._of_folder(above, is_made)
        is_slice = not is_made and name in self.siblings[above].said
        if is_slice and _YEAR.fullmatch(name):
            text, dated = name, 1
        elif dated and not is_made and _BELOW_YEAR[dated].fullmatch(name):
            text, dated = name, (dated + 1) % 3
        else:
            text, dated = self.siblings[above].ids.get(name) or _form(name, is_slice), 0
        found = f"{shape}/{text}".lstrip("/"), dated
        self.known[folder, is_made] = found
        return found


def _split_forms(stems: Collection[str]) -> dict[str, str]:
    """The forms of names that Unix `split` gives: `xaa`, `xab`; most that could be are there."""
    starts: dict[tuple[str, int], list[str]] = {}
    for each in stems:
        letters = len(each) - len(each.rstrip("a"))
        if letters > 1 and each[:-1] + "b" in stems:
            starts[each[:-letters], letters] = []
    if not starts:
        return {}
    for each in stems:
        for letters in {letters for _, letters in starts}:
            start, end = each[:-letters], each[-letters:]
            if (start, letters) in starts and re.fullmatch("[a-z]+", end):
                starts[start, letters].append(each)
    found = {}
    for (start, letters), members in starts.items():
        last = 0
        for letter in max(each[-letters:] for each in members):
            last = last * 26 + ord(letter) - ord("a")
        if 2 * len(members) > last:
            found.update(dict.fromkeys(members, f"{_form(start, True)}_#"))
    return found


def _short_id_forms(forms: Mapping[str, str], made: Collection[str]) -> dict[str, str]:
    """The forms of names that differ by one token of one length, where many mix letters and digits:
    pods' and runs' ids (`x2kqz`, `4f7k`), shards' hexadecimal digits (`a1`, `0c`)."""
    if not any(map(_BORDER.search, forms)):
        return {}
    places: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    mixed: set[tuple[str, int]] = set()
    for each in sorted(forms):
        text = _MADE.sub("#", each) if each in made else each
        tokens = _GAPS.sub("_", text.lower()).strip("_").split("_")
        masked = ["#" if _is_id(token) else token for token in tokens]
        for place, token in enumerate(tokens):
            if len(token) > 1:
                key = "_".join([*masked[:place], "#", *masked[place + 1 :]]), len(token)
                places[key][each] = token
                if _BORDER.search(token) and not _SAYING.search(token):
                    mixed.add(key)
    found: dict[str, str] = {}  # by the form without: all that share it stay together
    for key in sorted(mixed, key=lambda key: (-len(places[key]), key)):
        form, members = key[0], places[key]
        ids = _short_ids(set(members.values())) if len(members) > 1 else ()
        chosen = [forms[each] for each, token in members.items() if token in ids]
        form = next((found[each] for each in chosen if each in found), form)
        found.update((each, found.get(each, form)) for each in chosen)
    return {each: found[form] for each, form in forms.items() if form in found}


def _short_ids(tokens: Collection[str]) -> Collection[str]:
    """Those of the tokens of one length that a machine gave: `north1` and `jan24` are no such."""
    borders = {each: len(_BORDER.findall(each)) for each in tokens if not _TWO_FOR_TO.match(each)}
    made = sum(map(bool, borders.values())) + sum(not re.search("[aeiouy0-9]", t) for t in tokens)
    sure = sum(count > 1 for count in borders.values())
    is_long = all(len(each) > 3 for each in tokens) and len(tokens) > 1
    if is_long and 2 * made >= len(tokens) and 3 * sure >= len(tokens):
        return tokens
    hexes = {each for each in tokens if re.fullmatch("[0-9a-f]+", each)}
    digits = {each for each in hexes if not each.isalpha()}
    if len(hexes) < 3 or 3 * len(digits) < len(hexes) or not any(map(borders.get, hexes)):
        return ()
    return hexes if len(hexes) == len(tokens) else digits


def _is_number_or_id(stem: str, own: Collection[str]) -> bool:
    """Whether nothing is left of the name without numbers, ids and words that say nothing.

    `own` are the words of the folder's name.
    """
    rest, instants = _INSTANT.subn(" ", stem)
    rest, ids = _IDS.subn(" ", rest)
    numbers = instants + ids
    tokens = _TOKENS.findall(rest)
    is_piece = any(token.lower() in _PIECES for token in tokens)
    for token in tokens:
        if _is_id(token) or (is_piece and len(token) == 1):
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
    if len(token) < 8:
        return False
    if re.fullmatch("[0-9a-fA-F]+", token):
        return True
    borders = len(re.findall(r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])", token))
    return borders >= 4
