"""What stands above a table's body: titles, comments, a header, or nothing at all."""

import re
from collections.abc import Sequence
from itertools import pairwise

TOP_RECORDS = 10
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}(?:[T ][0-9:.]+.*)?")
_PLAIN_COUNT = re.compile(r"[0-9]+")

Records = Sequence[Sequence[str]]


def top_lines(records: Records, width: int) -> int:
    """How many records stand above the header: comments with `#`, titles of a single field.

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
