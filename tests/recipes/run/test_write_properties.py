"""Tables of any text come back as they were, or are refused by name."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.errors import NotWritableError
from r2d2.formats.csv.quoting import written
from r2d2.formats.csv.records import CsvDialect, records
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import come_back, put, tables

PIECES = ["", "a", ",", ";", '"', "'", "\\", "\n", "\r\n", " ", "é", "漢", "#", "1", "0.5", "|"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=3
)
DIALECTS = st.builds(
    CsvDialect,
    delimiter=st.sampled_from(",;\t|^"),
    quote=st.sampled_from(['"', "'", None]),
    escape=st.sampled_from(["\\", None]),
)


@pytest.mark.slow
@settings(max_examples=300)
@given(DIALECTS, st.lists(TEXTS, min_size=1, max_size=4))
def test_fields_are_read_as_they_were_written(dialect: CsvDialect, fields: list[str]) -> None:
    alone = len(fields) == 1
    try:
        columns = [pa.array([field]) for field in fields]
        texts = [written(c, dialect, is_empty_quoted=alone)[0].as_py() for c in columns]
    except NotWritableError:
        assert dialect.quote is None
        return
    line = dialect.delimiter.join(texts) + "\n"
    (record,) = records(line.encode(), dialect, whole=True)
    assert [field.decode() for field in record.fields] == fields


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
def test_delimited_text_comes_back_or_is_refused(table: list[tuple[str, str, str]]) -> None:
    lines = [",".join('"' + f.replace('"', '""') + '"' for f in row) + "\n" for row in table]
    _comes_back_or_is_refused("t.csv", ("id,name,text\n" + "".join(lines)).encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(st.fixed_dictionaries({"k": TEXTS}, optional={"a": VALUES, "b.c": VALUES}), min_size=1)
)
def test_json_comes_back_or_is_refused(objects: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in objects)
    _comes_back_or_is_refused("t.jsonl", lines.encode())


@settings(max_examples=40)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=6))
def test_partitions_come_back_or_are_refused(values: list[str | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder, "lake")
        put(lake, "flat.parquet", pa.table({"n": range(len(values)), "k": pa.array(values)}))
        table = tables(lake)["flat.parquet"]
        data = layout_of(LocalStorage(str(lake)), table)
        data |= {"is_folder": True, "partition_columns": ["k"], "file_name": ".parquet"}
        _writes_folders(Path(folder), data, table)


def _writes_folders(folder: Path, data: dict[str, Any], table: Any) -> None:
    from r2d2.recipes.run.write_table import write_table
    from tests.support.recipes.differences import difference
    from tests.support.recipes.lakes import rows

    own = rows(folder / "lake", table)
    try:
        write_table(layout_from(data), own, folder / "copy", "t")
    except NotWritableError:
        return
    assert difference(own, rows(folder / "copy", tables(folder / "copy")["t"])) is None


def _comes_back_or_is_refused(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, copy = Path(folder, "lake"), Path(folder, "copy")
        lake.mkdir()
        (lake / name).write_bytes(content)
        if tables(lake)[name].problem is not None:
            return
        try:
            come_back(lake, copy, name)
        except NotWritableError:
            assert not copy.exists() or list(copy.iterdir()) == []
