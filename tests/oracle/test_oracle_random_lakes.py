"""The generator judged: the same lake for the same seed, everything in it, and read as meant."""

import re
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.oracle.brute_force import degenerate, edges, equal, judge
from tests.support.oracle.derivations import derive
from tests.support.oracle.random_lakes import base, make_lake
from tests.support.oracle.random_types import PLAIN
from tests.support.oracle.reading import Rows, of_arrow, read_lake
from tests.support.oracle.sheets import Sheet
from tests.support.oracle.writers import (
    as_text,
    write_csv,
    write_hive,
    write_json_lines,
    write_parquet,
)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_the_same_seed_makes_the_same_lake(tmp_path: Path) -> None:
    for seed in range(20):
        folders = [tmp_path / f"{seed}-{copy}" for copy in range(2)]
        stories = [make_lake(folder, Random(seed)) for folder in folders]
        assert stories[0] == stories[1]
        assert _bytes(folders[0]) == _bytes(folders[1])


def test_the_lakes_hold_all_that_may_go_wrong(tmp_path: Path) -> None:
    types: set[str] = set()
    endings: set[str] = set()
    counts = dict.fromkeys(("edges", "near", "degenerate", "equal", "none", "cast"), 0)
    for seed in range(150):
        lake = tmp_path / str(seed)
        made = make_lake(lake, Random(seed))
        assert 3 <= len(made) <= 8
        endings |= {Path(table.location).suffix for table in made}
        strict, widened = (judge(lake, widened=mode) for mode in (False, True))
        counts["edges"] += len(edges(strict))
        counts["near"] += sum(0 < missing < rows for rows, missing in strict.values())
        counts["none"] += sum(0 < missing == rows for rows, missing in strict.values())
        counts["degenerate"] += len(degenerate(strict))
        counts["equal"] += len(equal(strict))
        counts["cast"] += len(edges(widened).keys() - edges(strict).keys())
        kinds = (
            k for table in read_lake(lake, widened=False).values() for k in table.kinds.values()
        )
        types |= {part for kind in kinds for part in re.findall(r"\w+", str(kind))}
    assert endings == {".parquet", ".csv", ".tsv", ".jsonl", ""}
    assert all(count >= 15 for count in counts.values()), counts
    names = {"string", "binary", "bool", "date", "time", "duration", "null", "timestamp"}
    names |= {"local", "zoned", "decimal", "list", "map", "struct"}
    names |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    assert types >= names | {"halffloat", "float", "double"}


@pytest.mark.parametrize("seed", range(60))
def test_parquet_files_are_read_as_they_were_meant(seed: int, tmp_path: Path) -> None:
    chance = Random(seed)
    sheet = derive(chance, base(chance, "A"))
    settings = write_parquet(chance, sheet, tmp_path / "t.parquet")
    rows = read_lake(tmp_path, widened=True)["t.parquet"]
    assert rows.count == sheet.rows
    if "store_schema=False" not in settings and "int96_timestamps=True" not in settings:
        assert _sorted(rows) == _meant(sheet)


@pytest.mark.parametrize("seed", range(40))
def test_text_files_and_hive_folders_are_read_as_they_were_meant(seed: int, tmp_path: Path) -> None:
    chance = Random(seed)
    sheet = derive(chance, base(chance, "A"))
    write_csv(chance, as_text(sheet, ""), tmp_path / "t.csv")
    write_csv(chance, as_text(sheet, ""), tmp_path / "t.tsv")
    read = read_lake(tmp_path, widened=True)
    assert _sorted(read["t.csv"]) == _sorted(read["t.tsv"]) == _meant(as_text(sheet, ""))
    if sheet.rows:
        write_json_lines(chance, as_text(sheet, None), tmp_path / "t.jsonl")
        read = read_lake(tmp_path, widened=True)
        assert _without_nulls(read["t.jsonl"]) == _without_nulls(
            of_arrow(as_text(sheet, None).arrow(), widened=True)
        )
    if write_hive(chance, sheet, tmp_path / "hive"):
        hive = read_lake(tmp_path, widened=True)["hive"]
        assert hive.count == sheet.rows
        assert hive.kinds.keys() == of_arrow(sheet.arrow(), widened=True).kinds.keys()


def _meant(sheet: Sheet) -> object:
    return _sorted(of_arrow(sheet.arrow(), widened=True))


def _sorted(rows: Rows) -> object:
    return rows.count, {name: (rows.kinds[name], rows.columns[name]) for name in rows.kinds}


def _without_nulls(rows: Rows) -> object:
    """The columns but those that are all NULL, which JSON need not tell of."""
    return {n: c for n, c in rows.columns.items() if any(value is not None for value in c)}


def test_every_type_can_be_written_and_read_back(tmp_path: Path) -> None:
    for number, type_ in enumerate(PLAIN):
        sheet = _of_type(type_)
        pq.write_table(sheet.arrow(), tmp_path / f"{number}.parquet")
        assert _sorted(read_lake(tmp_path, widened=False)[f"{number}.parquet"]) == _sorted(
            of_arrow(sheet.arrow(), widened=False)
        ), type_


def _of_type(type_: pa.DataType) -> Sheet:
    from tests.support.oracle.random_values import nullable
    from tests.support.oracle.sheets import SheetColumn

    chance = Random(str(type_))
    values = tuple(nullable(chance, type_) for _ in range(40))
    return Sheet((SheetColumn("x", type_, values),), 40, str(type_))
