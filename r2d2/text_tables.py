"""Names, sizes, money and tables in lines of text and in CSV, the same in every report."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from shlex import quote

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


_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./:; -]*[A-Za-z0-9])?")
"""Most texts: neither a formula nor quoted."""


def _cell(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value):
            return value
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


WIDEST = 100
"""A wider cell shifts the rest of its own line, not that of every line."""


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, cells padded to their column's width.

    >>> list(aligned([("a", "b"), ("x" * 200, "c"), ("long", "d")]))[::2]
    ['a     b', 'long  d']
    """
    widths = [
        max((width for width in map(width_of, column) if width <= WIDEST), default=0)
        for column in zip(*rows, strict=True)
    ]
    for row in rows:
        cells = zip(row, widths, strict=True)
        padded = (cell + " " * (width - width_of(cell)) for cell, width in cells)
        yield "  ".join(padded).rstrip()


def width_of(text: str) -> int:
    """The columns of a terminal that the text takes.

    >>> width_of("orders"), width_of("注文"), width_of("e\\u0301te\\u0301")
    (6, 4, 3)
    """
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    wide = sum(east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(combining(character) > 0 for character in text)


def pluralize(number: int | str, noun: str, many: str = "") -> str:
    """A number and its noun; a number that is text stays as it is written.

    >>> pluralize(1, "table"), pluralize(2000, "table"), pluralize("2000", "branch", "branches")
    ('1 table', '2,000 tables', '2000 branches')
    """
    shown = number if isinstance(number, str) else f"{number:,}"
    return f"{shown} {by_number(shown, noun, many or noun + 's')}"


def counted(compared: int, others: int) -> str:
    """A lake's tables as every output counts them: those compared, and how many more there are.

    >>> counted(43, 0), counted(1, 2000)
    ('43 tables', '1 table (2,000 more left out)')
    """
    return pluralize(compared, "table") + (f" ({others:,} more left out)" if others else "")


def listed(names: Sequence[str]) -> str:
    """The names as a sentence has them.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


TOP_FOLDER = "(the lake's top folder)"
"""In place of a folder's name: that of tables that lie in none."""


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
    names = list(known)
    shown = [each for each in names if each != name and visible(each) == name]
    if shown:
        return f"; in a shell it is {shell_word(shown[0])}"
    near = nearest(name, names)
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


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units; below a minute in seconds or milliseconds.

    >>> duration(0.0123), duration(344.6), duration(7260), duration(200000)
    ('12.3 ms', '5 min 45 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds is None:
        return "–"
    if seconds and abs(seconds) < 0.1:
        return f"{seconds * 1000:.3g} ms"
    if abs(seconds) < 59.95:
        return f"{seconds:.3g} s"
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    for large, name, small, lesser in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= large:
            rest = whole % large // small
            return f"{sign}{whole // large} {name}" + (f" {rest} {lesser}" if rest else "")
    return f"{sign}{whole} s"


def printable(text: str) -> str:
    """The text on one line: characters that steer a terminal or its direction are escaped.

    >>> printable("a\\x1b[31m\\u202eb")
    'a\\\\x1b[31m\\\\u202eb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def visible(name: str) -> str:
    """The name of a table, file or folder so that no other one looks like it.

    A character that cannot be seen is an escape, a backslash is doubled. A blank at an end of a
    part of the path, or after another blank, is an escape, too.

    >>> print(visible("gold/a b.csv"), visible("a  b /c"), visible("\\u200fa\\udcff"))
    gold/a b.csv a \\x20b\\x20/c \\u200fa\\xff
    >>> visible("a\\\\b") == "a" + 2 * "\\\\" + "b"
    True
    """
    return _UNSEEN_BLANK.sub(r"\\x20", printable(name.replace("\\", r"\\")))


_UNSEEN_BLANK = re.compile("(?:^|(?<=[/ ])) | (?=$|/)")


def shell_word(name: str) -> str:
    """The name as a word of a command: quoted where a shell needs it, with escapes as `$'…'`.

    >>> shell_word("a/b.csv"), shell_word("my lake")
    ('a/b.csv', "'my lake'")
    >>> print(shell_word("it's  a\\x1b"))
    $'it\\'s \\x20a\\x1b'
    """
    seen = visible(name)
    return quote(name) if seen == name else "$'" + seen.replace("'", r"\'") + "'"


def _escape(character: str) -> str:
    """The character as an escape of Python and of a shell's `$'…'`; a byte that is no text as that.

    >>> print(_escape("\\n"), _escape("\\xa0"), _escape("\\udcff"))
    \\n \\u00a0 \\xff
    """
    code = ord(character)
    if code < 0x80:
        return character.encode("unicode_escape").decode()
    if 0xDC80 <= code <= 0xDCFF:
        return rf"\x{code - 0xDC00:02x}"
    return rf"\u{code:04x}" if code < 0x10000 else rf"\U{code:08x}"


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
    """Money with as many digits as it needs, and cents at least; next to nothing is told as that.

    >>> usd(1234.5), usd(0.3), usd(0.031), usd(-2), usd(9.7e-05)
    ('$1,234.50', '$0.30', '$0.031', '-$2.00', 'less than $0.001')
    """
    if amount < 0:
        return f"-{usd(-amount)}"
    if 0 < amount < 0.001:
        return "less than $0.001"
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}"
