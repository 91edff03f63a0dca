"""JSON files written back: flat columns into nested objects, one a line or in one array.

r2d2 reads JSON as text, so that 1 and "1" are one value. To write what was there, each column is
known to hold text only, or text that cannot be mistaken for what else it holds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.formats.compression import codec_of, pieces
from r2d2.formats.csv.encoding import UTF_8, marked_encoding, utf_8
from r2d2.formats.csv.write import TextFile
from r2d2.formats.json.read import DECODER, PIECE_BYTES, JsonContext, Pairs, canonical
from r2d2.formats.layout import Layout
from r2d2.formats.schema import quoted
from r2d2.model import FileInfo, Table
from r2d2.storage.local import Storage

ARRAY_BYTES = 1 << 30
_TEXT, _LIKE_JSON, _JSON, _NULL = "text", "text like JSON", "JSON", "null"
_SPACE = b" \t\r\n"
Kinds = dict[tuple[str, ...], Counter[str]]
"""The number of values of each kind, by path."""
ROWS_AT_ONCE = 1 << 13
_JSON_NULL = "null"


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's files, all of which are read.

    Raises:
        NotWritableError: a key holds both a number and the text of one.
    """
    inner = table.splits[0].context
    if not isinstance(inner, JsonContext):
        raise TypeError(f"{table.location}: not a table of JSON lines")
    names = [column.path[0] for column in table.columns]
    kinds: Kinds = defaultdict(Counter)
    rows = 0
    for file in table.files:
        for value in _objects(storage, file, inner.encoding):
            _look(value, (), kinds)
            rows += 1
    flat = {".".join(map(quoted, path)): path for path in kinds}
    file = table.files[0]
    first = next(pieces(storage, file, PIECE_BYTES), b"")
    return Layout(
        table.format,
        pa.schema([(name, pa.string()) for name in names]),
        file.path.rpartition("/")[2],
        compression=codec_of(file.path) or "none",
        options={
            "encoding": inner.encoding,
            "mark": inner.encoding == UTF_8 and first.startswith(b"\xef\xbb\xbf"),
            "is_array": _is_array(storage, file, inner.encoding),
            "is_detected": inner.encoding == (marked_encoding(first) or UTF_8),
            "columns": [_column(table, name, flat[name], kinds[flat[name]]) for name in names],
        },
        not_restored=(
            "spaces between its tokens, the order of keys within its arrays",
            *_missing(kinds, rows),
        ),
    )


def _missing(kinds: Kinds, rows: int) -> Iterator[str]:
    """That keys are missing in some objects: such a key may come back with a null."""
    if any(found.total() < rows for found in kinds.values()):
        yield "which keys are missing where others have null"


def _column(table: Table, name: str, path: tuple[str, ...], kinds: Counter[str]) -> dict[str, Any]:
    if _JSON in kinds and _LIKE_JSON in kinds:
        raise NotWritableError(
            f"{table.location}: {name} holds numbers, truths or arrays, and text like them:"
            " which was which is not known of its rows"
        )
    return {"path": list(path), "is_text": _JSON not in kinds, "has_null": _NULL in kinds}


def _objects(storage: Storage, file: FileInfo, encoding: str) -> Iterator[Pairs]:
    """The file's objects as pairs; r2d2 has read them before, so they are sound."""
    rest = b""
    is_array: bool | None = None
    for piece in utf_8(pieces(storage, file, PIECE_BYTES), encoding, file.path):
        rest += piece
        if is_array is None and rest.lstrip(_SPACE):
            is_array = rest.lstrip(_SPACE).startswith(b"[")
        if is_array:
            if len(rest) > ARRAY_BYTES:
                raise NotWritableError(f"{file.path}: an array of more than {ARRAY_BYTES} bytes")
            continue
        *lines, rest = rest.split(b"\n")
        yield from (DECODER.decode(line.decode()) for line in lines if line.strip(_SPACE))
    if is_array:
        yield from DECODER.decode(rest.decode())
    elif rest.strip(_SPACE):
        yield DECODER.decode(rest.decode())


def _is_array(storage: Storage, file: FileInfo, encoding: str) -> bool:
    for piece in utf_8(pieces(storage, file, PIECE_BYTES), encoding, file.path):
        if piece.strip(_SPACE):
            return piece.lstrip(_SPACE).startswith(b"[")
    return False


def _look(pairs: Pairs, above: tuple[str, ...], kinds: Kinds) -> None:
    for key, value in pairs:
        path = (*above, key)
        if type(value) is tuple and value:
            _look(value, path, kinds)
        else:
            kinds[path][_kind(value)] += 1


def _kind(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, str):
        return _LIKE_JSON if is_like_json(value) else _TEXT
    return _JSON


def is_like_json(text: str) -> bool:
    """Whether the text is what r2d2 makes of a number, a truth, an array or an empty object."""
    try:
        value = DECODER.decode(text)
        return not isinstance(value, str) and value is not None and canonical(value) == text
    except (ValueError, RecursionError):
        return False


class JsonSink:
    """A file of objects, one a line, within brackets where they are one array.

    A column's form tells whether its values are text throughout, and whether NULL was written.
    The first object has every key, since a table's columns are in the order in which keys appear.
    """

    def __init__(self, layout: Layout, path: Path) -> None:
        options = layout.options
        self._columns = [
            (tuple(column["path"]), bool(column["is_text"]), bool(column["has_null"]))
            for column in options["columns"]
        ]
        self._is_array = bool(options["is_array"])
        self._is_first = True
        self._before = "[\n" if self._is_array else ""
        self._file = TextFile(
            path, str(options["encoding"]), layout.compression, bool(options["mark"])
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            columns = [column.to_pylist() for column in batch.slice(start, ROWS_AT_ONCE).columns]
            between = ",\n" if self._is_array else "\n"
            lines = between.join(map(self._line, zip(*columns, strict=True)))
            self._file.write(self._before + lines)
            self._before = between

    def close(self) -> None:
        """Completes the file."""
        end = "\n]" if self._is_array else ""
        begin = self._before if self._before == "[\n" else ""
        self._file.write(begin + end + "\n")
        self._file.close()

    def _line(self, row: tuple[str | None, ...]) -> str:
        tree: dict[str, Any] = {}
        for value, (path, is_text, has_null) in zip(row, self._columns, strict=True):
            if value is not None:
                _put(tree, path, _scalar(value, is_text))
            elif has_null or self._is_first:
                _put_null(tree, path)
        self._is_first = False
        return _object(tree)


def _put(tree: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    for key in path[:-1]:
        if tree.get(key, _JSON_NULL) is _JSON_NULL:
            tree[key] = {}
        tree = tree[key]
        if not isinstance(tree, dict):
            break
    if not isinstance(tree, dict) or not _is_null(tree.get(path[-1], _JSON_NULL)):
        raise NotWritableError(f"{'.'.join(path)}: a value and an object in one place")
    tree[path[-1]] = text


def _is_null(value: Any) -> bool:
    """Whether a value may take the place: nothing is there but nulls."""
    return value is _JSON_NULL or (isinstance(value, dict) and all(map(_is_null, value.values())))


def _put_null(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    """Writes null where no value stands in the way."""
    for key in path[:-1]:
        if tree.get(key, _JSON_NULL) is _JSON_NULL:
            tree[key] = {}
        tree = tree[key]
        if not isinstance(tree, dict):
            return
    tree.setdefault(path[-1], _JSON_NULL)


def _scalar(text: str, is_text: bool) -> str:
    return text if not is_text and is_like_json(text) else encode_basestring(text)


def _object(tree: dict[str, Any]) -> str:
    inside = ",".join(
        f"{encode_basestring(key)}:{_object(value) if isinstance(value, dict) else value}"
        for key, value in tree.items()
    )
    return "{" + inside + "}"
