"""A file's dialect from its head: the one under which its records agree with each other.

Everything but the plainest is believed only on evidence, since a wrong guess hides rows: another
delimiter where it cuts header and body into the same number of fields; a title where a line of
one field stands above a full header; no header where the first record is of the body's kind.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from r2d2.formats.compression import inner_name
from r2d2.formats.csv.dialect import CsvDialect
from r2d2.formats.csv.encoding import encoding_of, text_of
from r2d2.settings.find import dialect_fields

DELIMITERS = ",\t;|"
SAMPLE_RECORDS = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?(?:\r\n?|\n)')
_PROPER_QUOTES = r'(?:^|[\r\n{0}])"[^"\r\n]*"(?:[\r\n{0}]|$)'
TOP_RECORDS = 10
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}(?:[T ][0-9:.]+.*)?")
_PLAIN_COUNT = re.compile(r"[0-9]+")
Records = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class ParsedSample:
    """The sample's records under one dialect, and the line on which each starts, from 0.

    `width` is the number of fields that most records have, `agreement` their share; `sound` says
    that every quote was in its place.
    """

    dialect: CsvDialect
    records: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sound: bool
    width: int
    agreement: float

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the dialect."""
        return self.sound and self.agreement == 1


def detect(
    head: bytes, path: str, overrides: Mapping[str, object] | None = None, whole: bool = True
) -> CsvDialect:
    """The dialect of the file that starts with `head`; what `overrides` fix is taken as given.

    Raises:
        UsageError: an unknown override.
        UnreadableTableError: the head is no text, or text of an encoding that must be named.
    """
    fixed = dialect_fields(overrides or {})
    encoding = str(fixed.get("encoding") or encoding_of(head, whole))
    text = text_of(head, encoding, whole)
    base = replace(CsvDialect(encoding=encoding), **fixed)
    separator = _SEPARATOR_LINE.match(text)
    if separator and "skip_rows" not in fixed and "delimiter" not in fixed:
        dialect = replace(base, delimiter=separator[1], skip_rows=1)
        return _headed(_read(text, dialect, whole), fixed)
    return _headed(_best(text, base, path, fixed, whole), fixed)


def _best(
    text: str, base: CsvDialect, path: str, fixed: Mapping[str, object], whole: bool
) -> ParsedSample:
    usual = "\t" if inner_name(path).endswith(".tsv") else ","
    if "delimiter" in fixed:
        usual = base.delimiter
        candidates = [usual]
    else:
        others = [each for each in DELIMITERS if each != usual and each in text]
        candidates = [usual, *others]
    readings = [_quoting(text, replace(base, delimiter=d), fixed, whole) for d in candidates]
    if "skip_rows" not in fixed:
        readings = [_below_top(reading) for reading in readings]
    return max(readings, key=lambda reading: _rank(reading, usual))


def _rank(reading: ParsedSample, usual: str) -> tuple[bool, bool, bool, int, bool]:
    """Header and body agree; nothing stands above them; most records agree; fields; the usual."""
    headed = bool(reading.records) and len(reading.records[0]) == reading.width
    is_usual = reading.dialect.delimiter == usual
    return (
        headed and reading.sound and (is_usual or reading.width > 1),
        reading.agreement >= 0.9,
        reading.dialect.skip_rows == 0,
        reading.width,
        is_usual,
    )


def _below_top(reading: ParsedSample) -> ParsedSample:
    count = top_lines(reading.records, reading.width)
    if not count:
        return reading
    dialect = replace(reading.dialect, skip_rows=reading.lines[count])
    return _reading(dialect, reading.records[count:], reading.lines[count:], reading.sound)


def _reading(
    dialect: CsvDialect,
    records: Sequence[tuple[str, ...]],
    lines: Sequence[int],
    sound: bool,
) -> ParsedSample:
    counts = Counter(map(len, records))
    width = max(counts, key=lambda width: (counts[width], width), default=0)
    agreement = counts[width] / max(1, len(records))
    return ParsedSample(dialect, tuple(records), tuple(lines), sound, width, agreement)


def _quoting(
    text: str, dialect: CsvDialect, fixed: Mapping[str, object], whole: bool
) -> ParsedSample:
    """The reading with usual quotes, or one with escaped or with no quotes where only it agrees."""
    usual = _read(text, dialect, whole)
    if '"' not in text or dialect.quote != '"' or usual.agrees:
        return usual
    others = []
    if "escape" not in fixed and '\\"' in text:
        others.append(replace(dialect, escape="\\"))
    if "quote" not in fixed and not usual.sound and not _has_proper_quotes(text, dialect):
        others.append(replace(dialect, quote=None))
    for other in others:
        reading = _read(text, other, whole)
        if reading.agrees and reading.width > 1:
            return reading
    return usual


def _has_proper_quotes(text: str, dialect: CsvDialect) -> bool:
    return bool(re.search(_PROPER_QUOTES.format(re.escape(dialect.delimiter)), text))


def _read(text: str, dialect: CsvDialect, whole: bool) -> ParsedSample:
    """The first records as Python's parser sees them: near enough to choose between dialects."""
    lines = io.StringIO(text, newline="")
    for _ in range(dialect.skip_rows):
        next(lines, None)
    reader = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL,
        escapechar=dialect.escape,
        doublequote=dialect.escape is None,
        strict=True,
    )
    found: list[tuple[str, ...]] = []
    starts: list[int] = []
    sound, start = True, 0
    try:
        for fields in islice(reader, SAMPLE_RECORDS):
            if fields:
                found.append(tuple(fields))
                starts.append(start)
            start = reader.line_num
        if not whole and len(found) > 1 and next(lines, None) is None:
            found.pop()
            starts.pop()
    except csv.Error as error:
        cut_off = not whole and "unexpected end" in str(error)
        sound = cut_off or "field larger" in str(error)
    return _reading(dialect, found, starts, sound)


def _headed(reading: ParsedSample, fixed: Mapping[str, object]) -> CsvDialect:
    if "header" in fixed or not is_headerless(reading.records):
        return reading.dialect
    return replace(reading.dialect, header=False)


def top_lines(records: Records, width: int) -> int:
    """The number of records above the header: comments with `#`, titles of a single field.

    A comment is no record of the table's width (`#chrom,start,end` is a header) or, in a table
    of one column, starts with `# `. A title needs a table of at least three columns, and below
    it a record of that width whose fields are all filled, all distinct, and none a number.
    """
    count = 0
    while count < min(TOP_RECORDS, len(records) - 1) and _is_comment(records[count], width):
        count += 1
    titles = count
    while titles < min(TOP_RECORDS, len(records) - 1) and _is_title(records[titles], width):
        titles += 1
    if titles > count and _is_full_header(records[titles], width):
        return titles
    return count


def _is_comment(record: Sequence[str], width: int) -> bool:
    if not record[0].startswith("#"):
        return False
    return len(record) != width or (width == 1 and record[0].startswith("# "))


def _is_title(record: Sequence[str], width: int) -> bool:
    filled = sum(field.strip() != "" for field in record)
    return width >= 3 and filled == 1 and record[0].strip() != "" and len(record) in (1, width)


def _is_full_header(record: Sequence[str], width: int) -> bool:
    names = {field.strip().lower() for field in record}
    values = any(_kind(field) != "text" for field in record)
    return len(record) == width == len(names) and "" not in names and not values


def is_headerless(records: Records) -> bool:
    """Whether the first record is surely one of the body, not names.

    It has no empty field; its numbers and dates stand in columns of numbers and dates, its texts
    recur below; something in it hardly names a column (a date, a fraction, a negative number, a
    number twice); and its numbers do not ascend, as years and quantiles in a header do.
    """
    if len(records) < 3 or len({len(record) for record in records}) > 1:
        return False
    first, body = records[0], records[1:]
    return (
        all(first)
        and all(_belongs(field, [r[i] for r in body]) for i, field in enumerate(first))
        and _hardly_names(first)
    )


def _belongs(field: str, column: Sequence[str]) -> bool:
    kind = _kind(field)
    if kind == "text":
        return field in column
    return any(column) and all(_kind(value) == kind for value in column if value)


def _hardly_names(record: Sequence[str]) -> bool:
    numbers = [field for field in record if _kind(field) == "number"]
    dates = any(_kind(field) == "date" for field in record)
    odd = any(not _PLAIN_COUNT.fullmatch(field) for field in numbers)
    twice = len(set(numbers)) < len(numbers)
    values = [float(number.replace(",", ".")) for number in numbers]
    ascend = len(values) > 1 and all(a < b for a, b in pairwise(values))
    return (dates or odd or twice) and not ascend


def _kind(field: str) -> str:
    if _NUMBER.fullmatch(field):
        return "number"
    return "date" if _DATE.fullmatch(field) else "text"
