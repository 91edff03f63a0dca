"""Names, sizes, money and tables in lines of text and in CSV, the same in every report."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The first characters of a text that a spreadsheet runs as a formula, or skips before one."""
_URL = r"\b(?:s3a?|gs|abfss?|wasbs?|https?|hdfs|ftp):/{1,2}"
_USER_OF_URL = re.compile(rf"({_URL})([^\s/@'\"]*:[^\s/@'\"]*|(?<!bfs://)(?<!bfss://)[^\s/@'\"]+)@")
_QUERY_OF_URL = re.compile(rf"({_URL}[^\s?'\"]*\?)[^\s'\"]+")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV below their header; each cell is its value for every reader.

    An unknown value is an empty cell, a fraction is in full precision. A text that a spreadsheet
    would run as a formula gets an apostrophe before it, and so does one that begins with an
    apostrophe: whoever needs the value takes one apostrophe from the front of a cell that has it.

    >>> csv_text(["name", "usd"], [["=1+1", -0.5], ["it's", None]])
    "name,usd\\n'=1+1,-0.5\\nit's,\\n"
    """
    lines = (",".join(map(_cell, cells)) for cells in (columns, *rows))
    return "".join(line + "\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, str):
        begins = value.startswith("'") or value.lstrip(" ").startswith(_FORMULA)
        text = f"'{value}" if begins else value
        # Not by the csv module: before Python 3.13 it leaves a carriage return unquoted.
        quoted = text != text.strip() or not text.isprintable() or "," in text or '"' in text
        return '"' + text.replace('"', '""') + '"' if quoted else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, cells padded to their column's width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def pluralize(number: int | str, noun: str, many: str = "") -> str:
    """A number and its noun; a number that is text stays as it is written.

    >>> pluralize(1, "table"), pluralize(2000, "table"), pluralize("2000", "branch", "branches")
    ('1 table', '2,000 tables', '2000 branches')
    """
    shown = number if isinstance(number, str) else f"{number:,}"
    return f"{shown} {by_number(shown, noun, many or noun + 's')}"


def by_number(number: int | str, singular: str, plural: str) -> str:
    """The singular for 1, the plural for any other number.

    >>> by_number(1, "is", "are"), by_number(0, "is", "are")
    ('is', 'are')
    """
    return singular if str(number) == "1" else plural


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the one that was likely meant; "" if none is near.

    >>> did_you_mean("revnue", ["ops", "revenue"]), did_you_mean("x", ["revenue"])
    ("; did you mean 'revenue'?", '')
    """
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {near!r}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is likely meant: by its last part, by its case, or by few letters.

    >>> nearest("order", ["gold/orders.parquet", "other.csv"])
    'gold/orders.parquet'
    """
    from difflib import get_close_matches

    names = list(known)
    last = _last_part(name)
    same = [each for each in names if _last_part(each) == last]
    same += [each for each in names if _last_part(each).partition(".")[0] == last]
    if same:
        return same[0]
    whole = {each.lower(): each for each in reversed(names)}
    ends = {_last_part(each).partition(".")[0]: each for each in reversed(names)}
    for wanted, place in ((name.lower(), whole), (last.partition(".")[0], ends)):
        if close := get_close_matches(wanted, list(place), n=1):
            return place[close[0]]
    return None


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].lower()


def with_folders(locations: Collection[str]) -> list[str]:
    """The locations of tables, and all folders above them."""
    folders = {
        "/".join(parts[:count])
        for location in locations
        for parts in [location.split("/")]
        for count in range(1, len(parts))
    }
    return sorted({*locations, *folders})


def human_bytes(size: float) -> str:
    """The size in the largest decimal unit that keeps a digit before the point.

    >>> human_bytes(999), human_bytes(999_950), human_bytes(5e15)
    ('999 B', '1.0 MB', '5.0 PB')
    """
    if size < 999.5:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} PB"


def printable(text: str) -> str:
    """The text on one line: characters that steer a terminal or its direction are escaped.

    >>> printable("a\\x1b[31m\\u202eb")
    'a\\\\x1b[31m\\\\u202eb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def without_secrets(text: str) -> str:
    """The text, in which URLs have neither a user with a password nor a query.

    >>> without_secrets("no lake s3://key:word@bucket/x, or https://host/x?sig=word")
    'no lake s3://…@bucket/x, or https://host/x?…'
    """
    return _QUERY_OF_URL.sub(r"\1…", _USER_OF_URL.sub(r"\1…@", text))


def without_name(reason: str, name: str) -> str:
    """The reason without the table's own name, which stands beside it.

    >>> without_name("it cannot be judged: a.csv: a line is torn", "a.csv")
    'it cannot be judged: a line is torn'
    """
    if reason.startswith(f"{name}: "):
        return reason[len(name) + 2 :]
    return reason.replace(f": {name}: ", ": ", 1)


def without_file(reason: str, name: str) -> str:
    """The reason without the table's own name, or that of a file of its folder.

    >>> without_file("it cannot be judged: a/part-0.csv: a line is torn", "a")
    'it cannot be judged: a line is torn'
    """
    begin, found, rest = reason.partition(f"{name}/")
    if found and (not begin or begin.endswith(": ")) and ": " in rest:
        return begin + rest.partition(": ")[2]
    return without_name(reason, name)


def usd(amount: float) -> str:
    """Money with as many digits as it needs, and cents at least.

    >>> usd(1234.5), usd(0.3), usd(0.00012), usd(-2)
    ('$1,234.50', '$0.30', '$0.00012', '-$2.00')
    """
    if amount < 0:
        return f"-{usd(-amount)}"
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}"
