"""Names, sizes, money and tables in lines of text, the same in every report."""

from collections.abc import Iterator, Sequence


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


def human_bytes(size: float) -> str:
    """The size in the largest decimal unit that keeps a digit before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def printable(text: str) -> str:
    """The text on one line, control characters escaped: names are data."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def usd(amount: float) -> str:
    """Money with as many digits as it needs.

    >>> usd(1234.5), usd(0.00012)
    ('$1,234.50', '$0.00012')
    """
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.2g}"
