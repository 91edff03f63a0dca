"""The quotes, empty lines and line ends of a file of delimited text, for a copy that is read alike.

r2d2 takes an empty field and `""` for one text, and skips an empty line. Of the readers in use,
polars, and Spark with a `nullValue`, take the empty field for NULL and `""` for a text, and polars
takes the empty line for a row of NULLs. So a copy is read as the file was only if it has them as
the file had: one rule for each column is kept, and a file without such a rule is refused. Quotes
that a text does not need change no reader's values; they are kept where a whole column has them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import NotWritableError
from r2d2.formats.csv.fast_path import TextBlock, line_ends
from r2d2.formats.csv.records import CsvDialect, Scanner, line_count, records

Flags = npt.NDArray[np.bool_]
NEEDLESS_QUOTES = "the quotes around some texts that do not need them"
MIXED_ENDS = "that some of its lines end in CR LF and others in LF"
_CR, _LF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Quoting:
    """How the records below the header are written; columns are told by their places.

    The texts of `quoted` columns are quoted, needed or not; an empty field of the columns
    `empty_quoted` is `""`.
    """

    quoted: tuple[int, ...] = ()
    empty_quoted: tuple[int, ...] = ()
    empty_lines: int = 0


@dataclass(slots=True)
class QuotingTally:
    """What the blocks of a table's files show, by column: how texts and empty fields stand there.

    `needless`: texts in quotes that they do not need; `bare`: texts without quotes. Where not
    `by_field`, lines are counted alone, and no block may have a quote.
    """

    dialect: CsvDialect
    width: int
    by_field: bool
    ends: Counter[str] = field(default_factory=Counter)
    empty_lines: int = 0
    needless: Flags = field(init=False)
    bare: Flags = field(init=False)
    empty_quoted: Flags = field(init=False)
    empty_bare: Flags = field(init=False)

    def __post_init__(self) -> None:
        none = np.zeros((4, self.width), np.bool_)
        self.needless, self.bare, self.empty_quoted, self.empty_bare = none

    def add(self, blocks: Iterable[TextBlock], path: str) -> bool:
        """Adds the blocks of one file; False where there is a quote and not `by_field`.

        Raises:
            NotWritableError: a field is written otherwise than r2d2 writes it, and readers differ
                in what they take it for.
        """
        marks = [mark.encode() for mark in (self.dialect.quote, self.dialect.escape) if mark]
        for block in blocks:
            if self.by_field:
                self._add(block, path)
            elif any(mark in block.text for mark in marks):
                return False
            else:
                self._add_lines(block.text)
        return True

    def _add_lines(self, text: bytes) -> None:
        if b"\r" not in text and b"\n\n" not in text and not text.startswith(b"\n"):
            self.ends["\n"] += text.count(b"\n")
            return
        characters = np.frombuffer(text, np.uint8)
        breaks = np.flatnonzero((characters == _CR) | (characters == _LF))
        ends, following = self._ends(text, breaks)
        self.empty_lines += int((ends[1:] == following[:-1]).sum()) + int(ends[0] == 0)

    def _add(self, block: TextBlock, path: str) -> None:
        escape = (self.dialect.escape or "").encode()
        if block.text != block.plain or (escape and escape in block.text):
            fields = self._exact(block, path)
        else:
            fields = self._scanned(block.text)
        quoted, needed, empty = (flags.reshape(-1, self.width) for flags in fields)
        self.needless |= (quoted & ~needed & ~empty).any(axis=0)
        self.bare |= (~quoted & ~empty).any(axis=0)
        self.empty_quoted |= (quoted & empty).any(axis=0)
        self.empty_bare |= (~quoted & empty).any(axis=0)

    def _scanned(self, text: bytes) -> tuple[Flags, Flags, Flags]:
        """Of each field: whether it is quoted, needs to be, is empty.

        Every quote opens a field, closes one or doubles another.
        """
        characters = np.frombuffer(text, np.uint8)
        quotes = characters == ord(self.dialect.quote or "\0")
        if self.dialect.quote is None:
            quotes = np.zeros_like(quotes)
        breaks = (characters == _CR) | (characters == _LF)
        special = breaks | (characters == ord(self.dialect.delimiter))
        within = np.cumsum(quotes, dtype=np.uint8) & 1
        ends, following = self._ends(text, np.flatnonzero(special & (within == 0)))
        is_last = ends == len(text)
        is_last[~is_last] = breaks[ends[~is_last]]
        starts = np.concatenate([[0], following[:-1]])
        is_line = (starts == ends) & is_last & np.concatenate([[True], is_last[:-1]])
        self.empty_lines += int(is_line.sum())
        starts, ends = starts[~is_line], ends[~is_line]
        lengths = ends - starts
        quoted = (lengths > 0) & quotes[np.minimum(starts, len(text) - 1)]
        before = np.cumsum(special | quotes, dtype=np.int32)
        needed = quoted & (lengths > 2)
        needed[needed] = before[ends[needed] - 2] > before[starts[needed]]
        return quoted, needed, lengths == 2 * quoted

    def _ends(
        self, text: bytes, edges: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Where each field ends and the next one starts, CR LF being one end."""
        characters = np.frombuffer(text, np.uint8)
        second = (characters[edges] == _LF) & (edges > 0)
        second[second] = characters[edges[second] - 1] == _CR
        following = edges + 1
        following[:-1][second[1:]] += 1
        ends, following = edges[~second], following[~second]
        last = characters[ends]
        both = int(second.sum())
        self.ends += Counter(
            {"\r\n": both, "\r": int((last == _CR).sum()) - both, "\n": int((last == _LF).sum())}
        )
        if not len(ends) or last[-1] not in (_CR, _LF):
            ends, following = np.append(ends, len(text)), np.append(following, len(text))
        return ends, following

    def _exact(self, block: TextBlock, path: str) -> tuple[Flags, Flags, Flags]:
        """As `_scanned`, of text with escapes or with quotes within bare fields."""
        scanner = Scanner(block.text, self.dialect, whole=True)
        found: list[tuple[bytes, bytes]] = []
        lines: list[int] = []
        end = 0
        for record in records(block.text, self.dialect, whole=True):
            self.empty_lines += line_count(block.text[end : record.start])
            end = record.end
            self.ends.update(line_ends(block.text[max(record.start, end - 2) : end]))
            found += scanner.fields(record)
            lines.append(record.start)
        self.empty_lines += line_count(block.text[end:])
        raw = pa.array([written for written, _ in found], pa.string())
        texts = pa.array([value for _, value in found], pa.string())
        needed = wanting(texts, self.dialect)
        is_quoted = pc.equal(raw, _quoted(texts, self.dialect))
        as_ours = pc.or_(is_quoted, pc.and_not(pc.equal(raw, texts), needed))
        if not pc.all(as_ours).as_py():
            place = pc.index(as_ours, False).as_py()
            start = lines[place // self.width]
            raise NotWritableError(
                f"{path}: line {block.line + line_count(block.text[:start])}: readers differ in"
                f" what they take {raw[place].as_py()[:40]!r} for, and it cannot be written back so"
            )
        flags = (is_quoted, needed, pc.equal(texts, ""))
        quoted, needed, empty = (each.to_numpy(zero_copy_only=False) for each in flags)
        return quoted & bool(self.dialect.quote), needed, empty

    @property
    def newline(self) -> str | None:
        """The line end that most records have."""
        return max(self.ends, key=lambda end: self.ends[end], default=None)

    def quoting(self, location: str, names: Iterable[str]) -> Quoting:
        """The rule for each column.

        Raises:
            NotWritableError: a column has empty fields of both kinds.
        """
        for name, is_mixed in zip(names, self.empty_quoted & self.empty_bare, strict=True):
            if is_mixed:
                raise NotWritableError(
                    f'{location}: column {name} has both empty fields and "": r2d2 takes them for'
                    " one text, polars for NULL and a text, and a copy could not tell"
                    " them apart. Rewrite it with one of the two"
                )
        if "\r" in +self.ends and len(+self.ends) > 1:
            raise NotWritableError(
                f"{location}: some of its lines end in CR alone, which readers take differently"
            )
        return Quoting(
            tuple(map(int, np.flatnonzero(self.needless & ~self.bare))),
            tuple(map(int, np.flatnonzero(self.empty_quoted))),
            self.empty_lines,
        )

    def not_restored(self) -> Iterator[str]:
        """What of the files a copy does not have, of which readers in use take no notice."""
        if (self.needless & self.bare).any():
            yield NEEDLESS_QUOTES
        if len(+self.ends) > 1:
            yield MIXED_ENDS


def wanting(text: pa.Array, dialect: CsvDialect) -> pa.Array:
    """Whether each text would be read otherwise without quotes or escapes."""
    ordinary = dialect.delimiter + "\r\n" + (dialect.quote or "")
    wanted = pc.match_substring_regex(text, "[" + re.escape(ordinary) + "]")
    if dialect.escape is None:
        return wanted
    # Before any other character an escape is ordinary; at the end the delimiter would follow it.
    escapes = re.escape(dialect.escape)
    return pc.or_(wanted, pc.match_substring_regex(text, rf"{escapes}(?:{escapes}|$)"))


def written(
    text: pa.Array, dialect: CsvDialect, is_quoted: bool = False, is_empty_quoted: bool = False
) -> pa.Array:
    """Each text as a field: quoted or escaped where the bare text would be read otherwise.

    `is_quoted`: all are quoted but the empty ones; `is_empty_quoted`: these are.

    Raises:
        NotWritableError: the dialect has neither quote nor escape, and a text needs one.
    """
    is_empty = pc.equal(text, "")
    chosen = pc.invert(is_empty) if is_quoted else wanting(text, dialect)
    if is_empty_quoted:
        chosen = pc.or_(chosen, is_empty)
    if not pc.any(chosen).as_py():
        return text
    cannot = dialect.escape is None or (is_empty_quoted and pc.any(is_empty).as_py())
    if dialect.quote is None and cannot:
        raise NotWritableError("a text with delimiter or line break, which cannot be quoted")
    return pc.if_else(chosen, _quoted(text, dialect), text)


def _quoted(text: pa.Array, dialect: CsvDialect) -> pa.Array:
    """Each text in quotes, or with escapes where the dialect has no quote."""
    escape, quote = dialect.escape, dialect.quote
    if escape is not None:
        for character in escape + (quote or dialect.delimiter + "\r\n"):
            text = pc.replace_substring(text, character, escape + character)
    elif quote is not None:
        text = pc.replace_substring(text, quote, quote + quote)
    return text if quote is None else pc.binary_join_element_wise(quote, text, quote, "")
