"""JSON files read: the keys make the table's columns, the objects its rows.

A file is one object a line, or one array of objects. Nested objects are flattened, scalars are as
they are written: a number keeps its characters, so 1, 1.0 and 1e400 are three texts; `true` and
`"true"` are one, as JSON is read without types. `null` is NULL, as a missing key is. An array is
one text, compact, its order kept, keys inside it sorted; so is an empty object, which has no keys
to flatten.

The decoder calls no Python: an object comes as a tuple of pairs, a number as its bytes.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from json import JSONDecodeError
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError
from r2d2.formats.compression import codec_of, pieces
from r2d2.formats.csv.encoding import UTF_8, marked_encoding, utf_8
from r2d2.formats.csv.fast_path import RECORD_BYTES, compacted
from r2d2.formats.schema import COLUMNS, quoted
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.settings.find import dialect_fields
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

PIECE_BYTES = 1 << 20
BATCH_ROWS = 1 << 16
# Rows times columns of a batch, so that it stays small where keys are many.
BATCH_VALUES = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
# Texts by flat name; a number's is bytes still.
Row = dict[str, str | bytes | None]
# The flat names of the keys met, by the objects' own names.
Names = dict[str, dict[str, str]]
DEPTH = 100
DECODER = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_float=str.encode,
    parse_int=str.encode,
    parse_constant=str.encode,
)
Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class JsonContext:
    """A split's context: its file's encoding and its columns' names."""

    encoding: str
    names: tuple[str, ...]


def inspect(
    storage: Storage,
    location: str,
    file: FileInfo,
    overrides: Mapping[str, object] | None = None,
) -> Table:
    """The table of one JSON file. All of it is read, as any line may bring another key.

    Raises:
        UsageError: an unknown override.
        TableError: a line is no JSON object, or the keys make no columns.
    """
    encoding, found = _rows(storage, file, dialect_fields(overrides or {}).get("encoding"))
    names, count = _columns(found, file.path)
    split = Split(Format.JSON, file, (), count, file.size_bytes, JsonContext(encoding, names))
    return Table(
        location,
        Format.JSON,
        tuple(Column(name, "string", (name,)) for name in names),
        count,
        file.size_bytes,
        (file,),
        splits=(split,),
        details={"encoding": encoding, "compression": codec_of(file.path) or "none"},
    )


def _rows(
    storage: Storage, file: FileInfo, encoding: str | None = None
) -> tuple[str, Iterator[Row]]:
    """The encoding, as given or as its mark tells, and the rows."""
    content = pieces(storage, file, PIECE_BYTES)
    first = next(content, b"")
    encoding = encoding or marked_encoding(first) or UTF_8
    texts = utf_8(chain([first], content), encoding, file.path)
    return encoding, rows(texts, file.path, {})


def _columns(found: Iterator[Row], path: str) -> tuple[tuple[str, ...], int]:
    """The flat names in order of appearance, and the number of rows.

    A key that is only ever null is a column, unless it is an object elsewhere.
    """
    filled: dict[str, bool] = {}
    count = 0
    for row in found:
        count += 1
        if not row.keys() <= filled.keys() or not all(filled[name] for name in row):
            for name, text in row.items():
                filled[name] = filled.get(name, False) or text is not None
            if len(filled) > COLUMNS:
                raise IneligibleTableError(f"{path}: more than {COLUMNS} keys: are they data?")
    objects = {name[:end] for name in filled for end in _dots(name)}
    names = tuple(name for name, has_text in filled.items() if has_text or name not in objects)
    if not count:
        raise UnreadableTableError(f"{path}: an empty file: no keys, no table")
    if not names:
        raise IneligibleTableError(f"{path}: {pluralize(str(count), 'object')} without any key")
    return names, count


def _dots(name: str) -> Iterator[int]:
    at = name.find(".")
    while at >= 0:
        yield at
        at = name.find(".", at + 1)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The file's objects with the columns asked for (the first, where none is), in batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    layout = split.context
    if not isinstance(layout, JsonContext):
        raise TypeError(f"{split.file.path}: not a split of JSON lines")
    wanted = [name for name in layout.names if name in columns] or [layout.names[0]]
    limit = max(1, min(BATCH_ROWS, BATCH_VALUES // len(wanted)))
    batch: list[Row] = []
    for row in _rows(storage, split.file, layout.encoding)[1]:
        batch.append(row)
        if len(batch) == limit:
            yield _batch(batch, wanted)
            batch = []
    if batch:
        yield _batch(batch, wanted)


def _batch(batch: Sequence[Row], wanted: Sequence[str]) -> pa.RecordBatch:
    arrays = [pa.array([row.get(name) for row in batch], pa.string()) for name in wanted]
    return compacted(pa.RecordBatch.from_arrays(arrays, names=wanted))


def rows(texts: Iterator[bytes], path: str, names: Names) -> Iterator[Row]:
    """The file's rows in order. `names` keeps the flat names met, for speed.

    Raises:
        UnreadableTableError: with the line, where the text is no JSON.
        IneligibleTableError: it is JSON, but no objects one a line or in one array.
    """
    source = _Source(texts, path)
    source.skip_space()
    is_array = source.text.startswith("[", source.at)
    try:
        for value, text in _elements(source) if is_array else _lines(source):
            row = flat(value, names)
            if "\\u" in text:
                check_characters(value)
            yield row
    except JSONDecodeError as error:
        reason = f"no JSON: {error.msg} (character {error.colno})"
        raise UnreadableTableError(source.located(reason, error.pos)) from error
    except RecursionError as error:
        raise UnreadableTableError(source.located(f"nested deeper than {DEPTH} levels")) from error
    except NotJsonError as error:
        raise _kind(error)(source.located(str(error))) from error


class NotJsonError(ValueError):
    """Text that is no JSON object with an identity."""


def _kind(error: NotJsonError) -> type[TableError]:
    return IneligibleTableError if isinstance(error, NoObjectError) else UnreadableTableError


class _Source:
    """The file's text from the value at `at`, which is on line `line`, as far as it is read."""

    def __init__(self, texts: Iterator[bytes], path: str) -> None:
        self.text = ""
        self.at = 0
        self.line = 1
        self.whole = False
        self._texts = texts
        self._path = path

    def move(self, at: int) -> None:
        """Goes on to the value at `at`."""
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def more(self) -> None:
        """Adds the next piece of the file, or tells that there is none."""
        if len(self.text) - self.at > RECORD_BYTES:
            raise NotJsonError(f"a value longer than {RECORD_BYTES >> 20} MiB")
        piece = next(self._texts, b"")
        self.text = self.text[self.at :] + piece.decode()
        self.at = 0
        self.whole = not piece

    def skip_space(self) -> str:
        """The first character of what follows, "" at the end; `at` is there."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.move(found.end() if found else self.at)
            if self.at < len(self.text) or self.whole:
                return self.text[self.at : self.at + 1]
            self.more()

    def located(self, reason: str, position: int | None = None) -> str:
        """The reason with file and line."""
        below = self.text.count("\n", self.at, position) if position is not None else 0
        return f"{self._path}: line {self.line + below}: {reason}"


def _lines(source: _Source) -> Iterator[tuple[Any, str]]:
    first = True
    while True:
        end = source.text.find("\n", source.at)
        if end < 0 and not source.whole:
            source.more()
            continue
        text = source.text[source.at :] if end < 0 else source.text[source.at : end]
        if text.strip(" \t\r\n"):
            yield _decoded(source, text, first), text
            first = False
        if end < 0:
            return
        source.at = end + 1
        source.line += 1


def _decoded(source: _Source, text: str, first: bool) -> Any:
    try:
        return DECODER.decode(text)
    except JSONDecodeError as error:
        if first and error.pos >= len(text.rstrip()):
            _refuse_one_document(source)
        # Python's message would tell the line within the text, which is but one.
        raise NotJsonError(f"no JSON: {error.msg} (character {error.colno})") from error


def _refuse_one_document(source: _Source) -> None:
    """Raises NoObjectError where all of the file is one value written over several lines."""
    while not source.whole:
        source.more()
    try:
        DECODER.decode(source.text[source.at :])
    except (ValueError, RecursionError):
        return
    raise NoObjectError(
        "one JSON value over several lines; r2d2 reads one object a line, or a list"
    )


def _elements(source: _Source) -> Iterator[tuple[Any, str]]:
    source.move(source.at + 1)
    separator = ""
    while source.skip_space() != "]" or separator:
        value, end = _element(source)
        yield value, source.text[source.at : end]
        source.move(end)
        separator = source.skip_space()
        if separator == "]":
            break
        if separator != ",":
            raise JSONDecodeError("Expecting ',' delimiter", source.text, source.at)
        source.move(source.at + 1)
    source.move(source.at + 1)
    if source.skip_space():
        raise JSONDecodeError("Extra data", source.text, source.at)


def _element(source: _Source) -> tuple[Any, int]:
    while True:
        try:
            return DECODER.raw_decode(source.text, source.at)
        except JSONDecodeError:
            if source.whole:
                raise
        source.more()


class NoObjectError(NotJsonError):
    """Sound JSON, but another value than an object."""


def flat(value: Any, names: Names) -> Row:
    """The object as values by flattened name.

    Raises:
        NotJsonError: another value than an object, a key twice, or objects nested too deep.
    """
    if type(value) is not tuple:
        raise NoObjectError(f"{_kind_of_value(value)} where an object is expected")
    row: Row = {}
    _flatten(value, "", row, names, 1)
    return row


def _flatten(pairs: Pairs, prefix: str, row: Row, names: Names, depth: int) -> None:
    known = names.setdefault(prefix, {})
    for key, value in _by_key(pairs, depth).items():
        name = known.get(key)
        if name is None:
            name = known[key] = prefix + quoted(key)
        kind = type(value)
        if kind is str or kind is bytes or value is None:
            row[name] = value
        elif kind is tuple and value:
            _flatten(value, name + ".", row, names, depth + 1)
        else:
            row[name] = canonical(value, depth)


def canonical(value: Any, depth: int = 0) -> str:
    """The decoded value as compact JSON with sorted keys and numbers as written.

    >>> canonical(DECODER.decode('[1.0, {"b": null, "a": "\\\\u00e9"}]'))
    '[1.0,{"a":"é","b":null}]'
    """
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is bytes:
        return str(value, "ascii")
    if kind is list:
        _check(depth)
        return "[" + ",".join([canonical(each, depth + 1) for each in value]) + "]"
    if kind is tuple:
        pairs = sorted(_by_key(value, depth).items(), key=_key)
        inside = [f"{encode_basestring(key)}:{canonical(each, depth + 1)}" for key, each in pairs]
        return "{" + ",".join(inside) + "}"
    return {True: "true", False: "false", None: "null"}[value]


def _by_key(pairs: Pairs, depth: int) -> dict[str, Any]:
    _check(depth)
    by_key = dict(pairs)
    if len(by_key) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise NotJsonError(f"key {twice!r} twice in one object")
    return by_key


def _check(depth: int) -> None:
    if depth > DEPTH:
        raise NotJsonError(f"nested deeper than {DEPTH} levels")


def check_characters(value: Any) -> None:
    """Raises NotJsonError where an escape in the value's text made half a surrogate pair."""
    try:
        canonical(value).encode()
    except UnicodeEncodeError as error:
        raise NotJsonError("half a surrogate pair, which is no character") from error


def _kind_of_value(value: Any) -> str:
    kinds: tuple[tuple[type, str], ...] = ((list, "an array"), (bytes, "a number"), (str, "text"))
    return next((name for type_, name in kinds if isinstance(value, type_)), canonical(value))


def _key(pair: tuple[str, Any]) -> str:
    return pair[0]
