"""JSON lines, or one array: flat columns back into nested objects."""

from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import pyarrow as pa

from r2d2.formats.json.write import is_like_json
from r2d2.formats.layout import Layout, NotWritableError
from r2d2.rebuild.text_file import TextFile

ROWS_AT_ONCE = 1 << 13
_NULL = "null"


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
        if tree.get(key, _NULL) is _NULL:
            tree[key] = {}
        tree = tree[key]
        if not isinstance(tree, dict):
            break
    if not isinstance(tree, dict) or not _is_null(tree.get(path[-1], _NULL)):
        raise NotWritableError(f"{'.'.join(path)}: a value and an object in one place")
    tree[path[-1]] = text


def _is_null(value: Any) -> bool:
    """Whether a value may take the place: nothing is there but nulls."""
    return value is _NULL or (isinstance(value, dict) and all(map(_is_null, value.values())))


def _put_null(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    """Writes null where no value stands in the way."""
    for key in path[:-1]:
        if tree.get(key, _NULL) is _NULL:
            tree[key] = {}
        tree = tree[key]
        if not isinstance(tree, dict):
            return
    tree.setdefault(path[-1], _NULL)


def _scalar(text: str, is_text: bool) -> str:
    return text if not is_text and is_like_json(text) else encode_basestring(text)


def _object(tree: dict[str, Any]) -> str:
    inside = ",".join(
        f"{encode_basestring(key)}:{_object(value) if isinstance(value, dict) else value}"
        for key, value in tree.items()
    )
    return "{" + inside + "}"
