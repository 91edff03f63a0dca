"""The top of a table of text: lines above its header that are no records, and whether it has one.

A title is believed where it stands above a full header, or one whose columns hold numbers or dates;
that there is no header, where the first record is of the body's kind.
"""

import re
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise

Records = Sequence[Sequence[str]]
TOP_RECORDS = 10
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}(?:[T ][0-9:.]+.*)?")
_PLAIN_COUNT = re.compile(r"[0-9]+")
_WORD = re.compile(r"[\w.-]+")
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"[0-9]+")


class Top(Enum):
    """Why lines above the header are no records, and whether that is sure."""

    NONE = "nothing stands above the header"
    LIKELY = "above a full header"
    LINES = "lines of several fields above a header of numbers or dates"
    SURE = "comments, or a title above a header of numbers or dates"


def top_lines(records: Records, width: int) -> tuple[int, Top]:
    """The number of records above the header: comments with `#`, titles; and whether it is sure.

    A comment is no record of the table's width (`#chrom,start,end` is a header) or, in a table
    of one column, starts with `# `. A title of a single field needs a table of at least three
    columns, and below it a record of that width whose fields are all filled, all distinct, and
    none a number. Any line that is no record of the table is a title above names of columns of
    which one holds only numbers or dates.
    """
    last = min(TOP_RECORDS, len(records) - 1)
    count = 0
    while count < last and _is_comment(records[count], width):
        count += 1
    is_sure = count > 0 and (
        records[0][0].startswith("# ") or _is_full_header(records[count], width)
    )
    titles = count
    while titles < last and _is_above(records[titles], width):
        titles += 1
    if titles > count and _names_values(records[titles], records[titles + 1 :], width):
        above = [record for record in records[count:titles] if len(record) == width]
        if _filled(records[titles]) == width or not any(map(_is_a_name, above)):
            told = any(_filled(record) > 1 for record in records[count:titles])
            return titles, Top.LINES if told else Top.SURE
    titles = count
    while titles < last and _is_title(records[titles], width):
        titles += 1
    if titles > count and _is_full_header(records[titles], width):
        return titles, Top.SURE if _is_told(records, titles) else Top.LIKELY
    return count, Top.NONE if not count else Top.SURE if is_sure else Top.LIKELY


def _is_comment(record: Sequence[str], width: int) -> bool:
    if not record[0].startswith("#"):
        return False
    return len(record) != width or (width == 1 and record[0].startswith("# "))


def _is_above(record: Sequence[str], width: int) -> bool:
    """Whether it is no record of the table: of another width, or with one field filled at most."""
    return width > 1 and (len(record) != width or (width > 2 and _filled(record) <= 1))


def _is_title(record: Sequence[str], width: int) -> bool:
    return (
        width >= 3
        and _filled(record) == 1
        and record[0].strip() != ""
        and len(record) in (1, width)
    )


def _is_a_name(record: Sequence[str]) -> bool:
    """Whether its only filled field may be a column's name: one word."""
    return _WORD.fullmatch("".join(record).strip()) is not None


def _filled(record: Sequence[str]) -> int:
    return sum(field.strip() != "" for field in record)


def _names_values(header: Sequence[str], body: Records, width: int) -> bool:
    """Whether the header's are names, no values, and a column below has only numbers or dates."""
    values = any(_kind(field) != "text" for field in header)
    if values or _filled(header) < 2 or any(len(r) != width for r in (header, *body)):
        return False
    columns = ([r[i].strip() for r in body] for i, name in enumerate(header) if name.strip())
    return any(
        any(column) and all(_kind(value) != "text" for value in column if value)
        for column in columns
    )


def _is_told(records: Records, titles: int) -> bool:
    """Whether the title is words and not a name, and the fields below are names and no prose."""
    header, body = records[titles], records[titles + 1 :]
    values = {value for record in body for value in record}
    fields = (field for record in records[titles:] for field in record)
    return (
        bool(body)
        and not _is_a_name(records[titles - 1])
        and not values & set(header)
        and not any(field.startswith(" ") for field in fields)
    )


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


def may_be_headerless(records: Records) -> bool:
    """Whether the first record looks like the rows below it, though it may be names.

    All of it is numbers and dates; or each of its fields may stand in its column, and one is as
    the whole column is (a number, a date, an id). Numbers that ascend beside a text may be years.
    An empty first field heads a column of row numbers.
    """
    if not records or not records[0][0].strip() or {len(r) for r in records} != {len(records[0])}:
        return False
    first, body = records[0], records[1:]
    kinds = [_kind(field) for field in first]
    if all(kind != "text" for field, kind in zip(first, kinds, strict=True) if field.strip()):
        return True
    numbers = [f for f, kind in zip(first, kinds, strict=True) if kind == "number"]
    if len(numbers) > 1 and _ascend(numbers):
        return False
    is_one_alike = False
    for i, field in enumerate(first):
        is_alike = _is_alike(field, [record[i] for record in body if record[i]])
        if is_alike is False:
            return False
        is_one_alike |= is_alike is True
    return is_one_alike


def _is_alike(field: str, column: Sequence[str]) -> bool | None:
    """Whether the field is written as all of its column are; None where nothing tells."""
    if not column or not field.strip():
        return None
    if _kind(field) == "text" and not any(map(str.isdigit, field)):
        return None if any(_kind(value) == "text" for value in column) else False
    kinds = {_kind(value) for value in column}
    if kinds != {"text"} or _kind(field) != "text":
        return kinds == {_kind(field)} or (None if "text" in kinds else False)
    shapes = {_shape(value) for value in column}
    return shapes == {_shape(field)} or None


def _shape(field: str) -> str:
    """The field with each run of letters as `a`, of digits as `0`."""
    return _DIGITS.sub("0", _LETTERS.sub("a", field))


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
    return (dates or odd or twice) and not _ascend(numbers)


def _ascend(numbers: Sequence[str]) -> bool:
    values = [float(number.replace(",", ".")) for number in numbers]
    return len(values) > 1 and all(a < b for a, b in pairwise(values))


def _kind(field: str) -> str:
    if _NUMBER.fullmatch(field):
        return "number"
    return "date" if _DATE.fullmatch(field) else "text"
