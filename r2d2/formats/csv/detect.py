"""A file's dialect from its head: the one under which its records agree with each other.

Everything but the plainest is believed only on evidence, since a wrong guess hides rows: another
delimiter where it cuts header and body into the same number of fields; titles and the lack of a
header as in `header`. A guess that was close says so.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from r2d2.formats.compression import inner_name
from r2d2.formats.csv.encoding import encoding_of, text_of
from r2d2.formats.csv.header import Top, is_headerless, may_be_headerless, top_lines
from r2d2.formats.csv.records import CsvDialect
from r2d2.settings.find import dialect_fields
from r2d2.text_tables import pluralize

DELIMITERS = ",\t;|"
SAMPLE_RECORDS = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?(?:\r\n?|\n)')
_PROPER_QUOTES = r'(?:^|[\r\n{0}])"[^"\r\n]*"(?:[\r\n{0}]|$)'
MOST_SHOWN = 40
SETTLED = "a rule [[text]] settles it"


@dataclass(frozen=True, slots=True)
class Guess:
    """A dialect, and what speaks for another one, if much does."""

    dialect: CsvDialect
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedSample:
    """The sample's records under one dialect, and the line on which each starts, from 0.

    `width` is the number of fields that most records have, `agreement` their share; `sound` says
    that every quote was in its place; `top` why lines above the records are none.
    """

    dialect: CsvDialect
    records: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sound: bool
    width: int
    agreement: float
    top: Top = Top.NONE

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the dialect."""
        return self.sound and self.agreement == 1


def detect(
    head: bytes, path: str, overrides: Mapping[str, object] | None = None, whole: bool = True
) -> Guess:
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
        return _headed(_below_top(_read(text, dialect, whole)), fixed, ())
    readings = _readings(text, base, path, fixed, whole)
    best = max(readings, key=lambda reading: _rank(reading, readings[0]))
    return _headed(best, fixed, readings)


def _readings(
    text: str, base: CsvDialect, path: str, fixed: Mapping[str, object], whole: bool
) -> list[ParsedSample]:
    """The sample under each delimiter that it holds, the usual one first."""
    if "delimiter" in fixed:
        candidates = [base.delimiter]
    else:
        usual = "\t" if inner_name(path).endswith(".tsv") else ","
        candidates = [usual, *(each for each in DELIMITERS if each != usual and each in text)]
    readings = [_quoting(text, replace(base, delimiter=d), fixed, whole) for d in candidates]
    return readings if "skip_rows" in fixed else [_below_top(reading) for reading in readings]


def _rank(reading: ParsedSample, usual: ParsedSample) -> tuple[bool, bool, int, int, bool]:
    """Header and body agree; most records agree; what stands above them; fields; the usual."""
    headed = bool(reading.records) and len(reading.records[0]) == reading.width
    is_usual = reading is usual
    is_sure = reading.top in (Top.SURE, Top.LINES) and reading.agrees
    return (
        headed and reading.sound and (is_usual or reading.width > 1),
        reading.agreement >= 0.9,
        1 if reading.width == 1 else 3 if reading.top is Top.NONE else 2 if is_sure else 0,
        reading.width,
        is_usual,
    )


def _below_top(reading: ParsedSample) -> ParsedSample:
    """The reading without the lines above the header."""
    records, width = reading.records, reading.width
    count, top = top_lines(records, width)
    if not count and records and len(records[-1]) not in (1, width):
        # Of a short table below a long text, most records are the text's.
        count, top = top_lines(records, len(records[-1]))
        if any(len(record) != len(records[-1]) for record in records[count:]):
            return reading
    if not count:
        return reading
    dialect = replace(reading.dialect, skip_rows=reading.dialect.skip_rows + reading.lines[count])
    below = _reading(dialect, records[count:], reading.lines[count:], reading.sound)
    return replace(below, top=top)


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


def _headed(
    reading: ParsedSample, fixed: Mapping[str, object], readings: Sequence[ParsedSample]
) -> Guess:
    """The guess: the reading's dialect, without a header where the first record is a row."""
    doubt = _doubt(reading, fixed, readings)
    if "header" in fixed:
        return Guess(reading.dialect, doubt)
    if is_headerless(reading.records):
        dialect = replace(reading.dialect, header=False)
        return Guess(dialect, f"its first record is taken for a row, not for names; {SETTLED}")
    if may_be_headerless(reading.records):
        first = reading.dialect.delimiter.join(reading.records[0])
        shown = first if len(first) <= MOST_SHOWN else first[:MOST_SHOWN] + "…"
        headed = f"its header ({shown}) may be a row: [[text]] header = false reads it as one"
        doubt = headed if doubt is None else f"{headed}; {doubt}"
    return Guess(reading.dialect, doubt)


def _doubt(
    reading: ParsedSample, fixed: Mapping[str, object], readings: Sequence[ParsedSample]
) -> str | None:
    """Another dialect that much speaks for, too, or None."""
    for other in readings:
        if other is not reading and _is_close(other, reading):
            mark, count = other.dialect.delimiter, other.width
            return f"delimiter {mark!r} would give {count} columns, too; {SETTLED}"
    if "skip_rows" in fixed:
        return None
    skipped = reading.dialect.skip_rows
    if reading.top in (Top.LIKELY, Top.LINES):
        what = "a title" if reading.top is Top.LIKELY else "no rows"
        return f"{pluralize(str(skipped), 'line')} above its header taken for {what}; {SETTLED}"
    first = reading.records[0] if reading.records and not skipped else ()
    if reading.width >= 3 and sum(map(bool, map(str.strip, first))) == 1:
        return f"its first line may be a title, not names; {SETTLED}"
    return None


def _is_close(other: ParsedSample, reading: ParsedSample) -> bool:
    """Whether the delimiter cuts all records, or all but the first, into as many fields.

    Beside a table of one column, to cut most of them is enough.
    """
    if not other.sound or other.width < 2:
        return False
    if reading.width == 1:
        return other.agreement > 0.5
    body = other.records[1:]
    return bool(body) and {len(record) for record in body} == {other.width}
