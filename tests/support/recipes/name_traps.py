"""A lake whose locations are traps for whoever makes SQL names and paths of them."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from deltalake import write_deltalake

from tests.support.recipes.hostile import HOSTILE

NAMES = (
    *("orders", "Orders", "ORDERS", "a-b", "a_b", "a.b", "a b", "a__b", "2024", "2024-01"),
    *("select", "from", "view", "p", "k", "b", "m", "read_parquet", "csv", "a;b", "a--b", "a/*b"),
    *("a*", "a?", "[a]", "a[0-9]", "{a,b}", "a{b", "a]b", "~a", "$HOME", "a%20b", "a+b", "a#b"),
    *("é", "e\u0301", "Ⅷ", "ß", "ss", "İ", "\u202eabc", "x" * 200, "x" * 201, "café/" * 40 + "c"),
    *("children", "parents", "orders.2024-01", "orders.2024-02", "d/k=1/v", "e/k=/v", "a=b"),
    *(name for name in HOSTILE if "/" not in name and not name.startswith("\\")),
)
"""Of tables, without an ending; a slash makes folders."""
BACKSLASHES = tuple(name for name in HOSTILE if name.startswith("\\"))
"""Beside such a file, DuckDB globs nothing in a folder."""
COLUMN_NAMES = ("select", "a b", "Ü", 'q"', "it's", "b`t", "x.y", "n\nl", "p", "2")
ROWS = 120
KINDS = ("filter", "projection", "distinct", "copy", "units", "keys", "union")


def write_names(lake: Path, names: Sequence[str] = NAMES, seed: int = 1) -> int:
    """Each name twice: below `parents`, and below `children` what is made of that one.

    Returns how many children there are.
    """
    written = 0
    for number, name in enumerate(names):
        kind = KINDS[number % len(KINDS)]
        is_text = number % 5 == 4 and kind != "units"
        ending = ".csv" if is_text else ".parquet"
        parent = _parent(random.Random(seed * 1000 + number), number, is_text)
        pieces = [parent.slice(0, ROWS // 2), parent.slice(ROWS // 2)]
        sources = pieces if kind == "union" else [parent]
        try:
            for place, source in enumerate(sources):
                _write(lake / f"parents/{name}{'+' * place}{ending}", source)
            _write(lake / f"children/{name}{ending}", _child(parent, kind))
        except (OSError, ValueError):  # this machine's file system has no such name
            continue
        written += 1
    return written


def write_folders(lake: Path) -> int:
    """Tables of several files, and what is made of them; returns how many children there are."""
    table = _parent(random.Random(5), 0, is_text=False).drop_columns(["select", "real"])
    keys = ["a b", "x/y", "1=2", "é", "%", "it's", None]
    texts = pa.array([keys[place % len(keys)] for place in range(ROWS)])
    days, table = table["day"], table.drop_columns(["day"])
    for name, key, values in (("texts", "k", texts), ("days", "Day", days)):
        for value in dict.fromkeys(values.to_pylist()):
            told = "__HIVE_DEFAULT_PARTITION__" if value is None else quote(str(value), " '")
            rows = table.filter(pc.fill_null(pc.equal(values, value), value is None))
            _write(lake / f"parents/{name}/{key}={told}/f.parquet", rows)
        whole = table.append_column(key, values)
        _write(lake / f"children/{name}.parquet", whole)
        whole = whole.append_column("w", pa.array([name] * ROWS))
        write_deltalake(lake / f"parents/delta_{name}", whole, partition_by=[key])
        _write(lake / f"children/delta_{name}.parquet", whole)
    return 4 + _write_grown(lake, table)


def _write_grown(lake: Path, table: pa.Table) -> int:
    """A table whose newer file has a column more, and another spelling and type of one."""
    older = table.select(["id", "small"]).slice(0, 50)
    newer = table.select(["id", "small", "money"]).slice(50)
    wider = newer.set_column(1, "SMALL", newer["small"].cast(pa.int16()))
    _write(lake / "parents/grown/v=1/f.parquet", older)
    _write(lake / "parents/grown/v=2/f.parquet", wider)
    parts = (
        rows.append_column("v", pa.array([version] * rows.num_rows, pa.int32()))
        for version, rows in ((1, older), (2, wider.rename_columns(newer.column_names)))
    )
    _write(
        lake / "children/grown.parquet",
        pa.concat_tables(parts, promote_options="permissive").select(["id", "small", "money", "v"]),
    )
    return 1


TEXTS = {
    "semicolons": ("id;word\n", "{0};{1}\n", "utf-8"),
    "tabs": ("id\tword\tn\n", "{0}\t{1}\t\n", "utf-8"),
    "carriage": ("id,word\r\n", "{0},{1}\r\n", "utf-8"),
    "old_mac": ("id,word\r", "{0},{1}\r", "utf-8"),
    "quoted": ("id,word\n", '{0},"{1}"\n', "utf-8"),
    "breaks": ("id,word\n", '{0},"{1}\n,""x"""\n', "utf-8"),
    "breaks_carriage": ("id,word\r\n", '{0},"{1}\r\n,""x"""\r\n', "utf-8"),
    "stray": ("id,word\n", '{0},{1}" x\n', "utf-8"),
    "escaped": ("id,word\n", '{0},"{1}\\" x"\n', "utf-8"),
    "backslashes": ("id,word\n", '{0},"{1}\\x"\n', "utf-8"),
    "apostrophes": ("id,word\n", "{0},'{1}'\n", "utf-8"),
    "spaces": ("id,word\n", " {0} , {1} \n", "utf-8"),
    "empty": ("id,word,none\n", '{0},,""\n', "utf-8"),
    "blank_lines": ("id,word\n", "{0},{1}\n\n", "utf-8"),
    "one_column": ("id\n", "{0}\n", "utf-8"),
    "one_column_blank": ("id\n", "{0}\n\n", "utf-8"),
    "title": ("A title,,\nid,word,n\n", "{0},{1},x\n", "utf-8"),
    "mixed": ("id,word\r\n", "{0},{1}\n", "utf-8"),
    "nulls": ("id,word\n", "{0},NULL\n", "utf-8"),
    "hashes": ("id,word\n", "#{0},#{1}\n", "utf-8"),
    "marked": ("\ufeffid,word\n", "{0},{1}\n", "utf-8"),
    "accents": ("id,wörd\n", "{0},é{1}\n", "utf-8"),
    "latin": ("id,wörd\n", "{0},é{1}\n", "iso8859-1"),
    "wide": ("id,wörd\n", "{0},é{1}\n", "utf-16"),
}
"""Headers, records and encodings of CSV files."""


def write_texts(lake: Path) -> int:
    """CSV files of many dialects, and of each some of its rows; returns how many children."""
    for number, (name, (head, record, encoding)) in enumerate(TEXTS.items()):
        lines = [record.format(f"{number}{name[0]}{row}", row % 4) for row in range(90)]
        some = lines[1::4] if "{1}" in record else lines[::-1]
        for folder, rows in (("parents", lines), ("children", some)):
            path = lake / folder / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((head + "".join(rows)).encode(encoding))
    return len(TEXTS)


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        arrow_csv.write_csv(table, path)
    else:
        pq.write_table(table, path)


def _parent(rng: random.Random, number: int, is_text: bool) -> pa.Table:
    words = rng.choices(["x", "y", "", "it's", 'q"', "a\nb", "é", " z ", "NULL", "NA"], k=ROWS)
    ids = [number * ROWS + place for place in range(ROWS)]
    rng.shuffle(ids)
    if is_text:
        return pa.table(
            {"id": pa.array(map(str, ids)), "word": words, "n": list(map(str, _numbers(rng)))}
        )
    column = COLUMN_NAMES[number % len(COLUMN_NAMES)]
    columns = {
        "id": pa.array(ids, pa.int64()),
        column: pa.array(_with_nulls(rng, words)),
        "real": pa.array(
            _with_nulls(rng, rng.choices([0.0, -0.0, float("nan"), float("inf"), 1.5], k=ROWS))
        ),
        "bytes": pa.array(_with_nulls(rng, [rng.randbytes(3) for _ in ids]), pa.binary()),
        "at": pa.array([value * 86_400_000_000 for value in ids], pa.timestamp("us")),
        "instant": pa.array([value * 1_000_000 for value in ids], pa.timestamp("us", "UTC")),
        "money": pa.array([value * 100 for value in ids], pa.int64()).cast(pa.decimal128(21, 0)),
        "small": pa.array(_numbers(rng), pa.int8()),
        "day": pa.array([value % 30 for value in ids], pa.int32()).cast(pa.date32()),
        "inner": pa.array([{"a": value, "b": str(value)} for value in ids]),
    }
    return pa.table(columns)


def _numbers(rng: random.Random) -> list[int]:
    return rng.choices(range(5), k=ROWS)


def _with_nulls(rng: random.Random, values: list[object]) -> Iterator[object]:
    return (None if rng.random() < 0.1 else value for value in values)


def _child(parent: pa.Table, kind: str) -> pa.Table:
    number = parent.column_names.index("small" if "small" in parent.column_names else "n")
    twos = [str(value) == "2" for value in parent.column(number).to_pylist()]
    match kind:
        case "filter":
            return parent.filter(pa.array(twos))
        case "projection":
            return parent.select([1, 0])
        case "distinct":
            return (
                parent.select([1, number])
                .group_by(parent.select([1, number]).column_names)
                .aggregate([])
            )
        case "units":
            at = parent.schema.get_field_index("at")
            return parent.set_column(at, "at", parent["at"].cast(pa.timestamp("ms")))
        case "keys":
            rows = sorted(random.Random(7).sample(range(ROWS), ROWS // 3))
            return parent.take(pa.array(rows))
        case _:
            return parent
