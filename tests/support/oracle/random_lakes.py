"""Random small lakes: a few bases and what was derived from them, the same for the same seed.

    python -m tests.support.oracle.random_lakes SEED FOLDER

writes the lake of that seed and tells how each table came about.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa

from tests.support.oracle.derivations import MAX_ROWS, NAMES, derive
from tests.support.oracle.random_types import nested_type, random_type
from tests.support.oracle.random_values import nullable
from tests.support.oracle.sheets import Sheet, SheetColumn
from tests.support.oracle.writers import (
    as_json,
    as_text,
    write_csv,
    write_hive,
    write_json_lines,
    write_parquet,
)

FOLDERS = ("", "", "team", "t[12]", "a b", "it's", "\u00e9", "deep/er", "%2F")


@dataclass(frozen=True, slots=True)
class Made:
    """One table that was written, and its story."""

    location: str
    story: str


def make_lake(folder: Path, chance: Random) -> tuple[Made, ...]:
    """Writes three to eight tables below `folder`; any `Random` will do, Hypothesis's too."""
    count = chance.randint(3, 8)
    sheets = [base(chance, name) for name in "AB"[: chance.randint(1, 2)]]
    while len(sheets) < count:
        sheets.append(derive(chance, chance.choice(sheets)))
    return tuple(_write(chance, sheet, folder, f"t{i}") for i, sheet in enumerate(sheets))


def base(chance: Random, name: str) -> Sheet:
    """A table whose columns are drawn from a few values each, so that rows repeat.

    One in three has one or two nested columns, so that nothing else tells its rows apart.
    """
    rows = chance.choice((1, 3, 8, 20, MAX_ROWS))
    if chance.random() < 0.35:
        types = [nested_type(chance) for _ in range(chance.randint(1, 2))]
    else:
        types = [random_type(chance) for _ in range(chance.randint(1, 6))]
        types = [chance.choice(types) if chance.random() < 0.2 else type_ for type_ in types]
    names = chance.sample(NAMES, len(types))
    columns = (_column(chance, n, t, rows) for n, t in zip(names, types, strict=True))
    return Sheet(tuple(columns), rows, name)


def _column(chance: Random, name: str, type_: pa.DataType, rows: int) -> SheetColumn:
    nulls = chance.choice((0.0, 0.1, 0.5))
    pool = [nullable(chance, type_, nulls) for _ in range(chance.choice((1, 3, 10, 30)))]
    return SheetColumn(name, type_, tuple(chance.choice(pool) for _ in range(rows)))


def _write(chance: Random, sheet: Sheet, folder: Path, name: str) -> Made:
    where = folder / chance.choice(FOLDERS)
    where.mkdir(parents=True, exist_ok=True)
    roll = chance.random()
    if roll < 0.1 and sheet.columns:
        path = where / f"{name}.{chance.choice(('csv', 'tsv'))}"
        how = write_csv(chance, as_text(sheet, ""), path)
    elif roll < 0.2 and sheet.columns and sheet.rows:
        path = where / f"{name}.jsonl"
        sheet = as_text(sheet, None) if chance.random() < 0.5 else as_json(sheet)
        how = write_json_lines(chance, sheet, path)
    elif roll < 0.3 and (hive := write_hive(chance, sheet, where / name)):
        path, how = where / name, hive
    else:
        path = where / f"{name}.parquet"
        how = write_parquet(chance, sheet, path)
    return Made(path.relative_to(folder).as_posix(), f"{sheet.story} ({how})")


def main() -> None:
    """Writes one lake and prints its tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("seed", type=int)
    arguments.add_argument("folder", type=Path)
    options = arguments.parse_args()
    for made in make_lake(options.folder, Random(options.seed)):
        print(f"{made.location}: {made.story}")


if __name__ == "__main__":
    main()
