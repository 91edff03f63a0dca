"""Lakes of thousands of small tables: of many shapes, of shapes in pairs, of types that drift.

    python -m benchmarks.small_tables FOLDER KIND [--scale 1.0]

`shapes` is 2,000 tables of 1,500 schemas, of which few share one or include another's. `pairs` is
3,600 tables, half of which are of a schema that another table includes. `drift` is 5,000 daily
files of 20 columns, whose whole numbers are float64 on a day that lacks one, so that they have 30
schemas and about ten million pairs whose columns fit. Each has a few hundred true edges, which are
written beside. One seed, the same lake.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.snapshots import write_truth

SEED = 20_260_229
KINDS = ("int64", "float64", "text", "time", "bool", "int32", "word")
WORDS = np.array(["north", "south", "east", "west", "open", "closed", "unknown"], object)
START = np.datetime64("2019-01-01", "us")
DAY_COLUMNS = (
    *("place:name", "area:word", "latitude:trait", "longitude:trait", "updated:time"),
    *(f"count_{number}:count" for number in range(9)),
    *(f"rate_{number}:float64" for number in range(4)),
    *("status:word", "note:text"),
)
# Places among the counts that lack a value on a day, and the share of the days.
DRIFTS = 29
STEADY = 0.6
Edges = list[tuple[str, str]]
Schema = tuple[str, ...]


def shapes(lake: Path, scale: float) -> Edges:
    """Tables of random schemas; one in four has that of another, or some of its columns."""
    chance = np.random.default_rng((SEED, 0))
    schemas = [random_schema(chance, number) for number in range(round(1500 * scale))]
    return written(lake, list(made_of(schemas, round(2000 * scale), chance)), chance, 0.13)


def pairs(lake: Path, scale: float) -> Edges:
    """Tables half of which are of a few hundred schemas that others include."""
    chance = np.random.default_rng((SEED, 1))
    alone = [random_schema(chance, number) for number in range(round(1800 * scale))]
    shared = [random_schema(chance, 10_000 + number) for number in range(round(300 * scale))]
    tables = [(schema, 20 + chance.integers(400)) for schema in alone]
    while len(tables) < round(3600 * scale):
        schema = shared[chance.integers(len(shared))]
        some = schema if chance.random() < 0.6 else schema[: max(3, len(schema) * 2 // 3)]
        tables.append((some, 20 + chance.integers(400)))
    return written(lake, tables, chance, 0.1, len(alone))


def drift(lake: Path, scale: float) -> Edges:
    """Daily files of one feed: counts grow, and a day that lacks a value has it as float64."""
    chance = np.random.default_rng((SEED, 2))
    days = round(5000 * scale)
    lacking = [tuple(chance.choice(9, 1 + chance.integers(3), False)) for _ in range(DRIFTS)]
    weights = 1.0 / np.arange(1, DRIFTS + 1)
    places = 100
    state = chance.poisson(2000, (9, places))
    pace = chance.lognormal(2.0, 1.0, (9, places))
    traits = np.round(chance.uniform(-90, 90, (2, places)), 4)
    edges: Edges = []
    before: list[tuple[str, pa.Table]] = []
    for day in range(days):
        state = state + chance.poisson(pace) * (chance.random((9, places)) > 0.2)
        here = np.sort(chance.choice(places, chance.integers(20, 101), False))
        columns = dict(day_values(day, here, state, traits, chance))
        if chance.random() > STEADY:
            for number in lacking[chance.choice(DRIFTS, p=weights / weights.sum())]:
                counts = columns[f"count_{number}"].astype(float)
                counts[chance.integers(len(here))] = np.nan
                columns[f"count_{number}"] = counts
        table = pa.table({name: pa.array(v, from_pandas=True) for name, v in columns.items()})
        name = f"y{day // 365}/day_{day:05d}.parquet"
        if day > 50 and chance.random() < 0.06:
            other, whole = before[chance.integers(len(before))]
            table = some_rows(whole, whole.column_names, chance)
            edges.append((name, other))
        else:
            before.append((name, table))
        put(lake / name, table)
    return edges


def random_schema(chance: np.random.Generator, number: int) -> Schema:
    """4 to 40 columns, as name:kind; the first has the schema's own name."""
    count = int(4 + 36 * chance.beta(1.2, 2.5))
    kinds = chance.choice(KINDS, count, p=(0.25, 0.2, 0.15, 0.1, 0.05, 0.1, 0.15))
    names = chance.choice(400, count, False)
    own = f"key_{number}:int64"
    return (own, *(f"field_{name}:{kind}" for name, kind in zip(names[1:], kinds[1:], strict=True)))


def made_of(
    schemas: Sequence[Schema], count: int, chance: np.random.Generator
) -> Iterator[tuple[Schema, int]]:
    """Each schema once, then some of them again; with the number of rows."""
    for place in range(count):
        of_its_own = place < len(schemas)
        schema = schemas[place if of_its_own else chance.integers(len(schemas))]
        yield schema, int(20 * 100 ** chance.random())


def written(
    lake: Path,
    tables: Sequence[tuple[Schema, int]],
    chance: np.random.Generator,
    share: float,
    first: int = 0,
) -> Edges:
    """Writes the tables, a share of them as rows and columns of one before; the true edges."""
    edges: Edges = []
    before: list[tuple[str, pa.Table]] = []
    for place, (schema, rows) in enumerate(tables):
        name = f"area_{place % 40}/table_{place:05d}.parquet"
        if place > first + 20 and chance.random() < share:
            other, whole = before[first + chance.integers(len(before) - first)]
            names = whole.column_names[: max(3, int(whole.num_columns * chance.uniform(0.5, 1.3)))]
            table = some_rows(whole, names, chance)
            edges.append((name, other))
        else:
            own = (column.partition(":") for column in schema)
            table = pa.table({column: values(kind, rows, chance) for column, _, kind in own})
            before.append((name, table))
        put(lake / name, table)
    return edges


def put(path: Path, table: pa.Table) -> None:
    """Writes the table, its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def some_rows(table: pa.Table, names: Sequence[str], chance: np.random.Generator) -> pa.Table:
    """At least twelve of the rows, but not all, of the columns named."""
    count = chance.integers(12, table.num_rows)
    return table.select(names).take(np.sort(chance.choice(table.num_rows, count, False)))


def values(kind: str, rows: int, chance: np.random.Generator) -> NDArray[Any]:
    """A column of a table of its own: in a range of its own, so that bounds often differ."""
    low, width = chance.integers(0, 10_000), 10 ** chance.integers(1, 6)
    numbers = low + chance.integers(0, width, rows)
    if kind in ("int64", "int32"):
        return numbers.astype(kind)
    if kind == "float64":
        return np.round(numbers * chance.random(rows), 3)
    if kind == "bool":
        return chance.random(rows) < 0.5
    if kind == "time":
        return START + (numbers * 60_000_000).astype("timedelta64[us]")
    if kind == "word":
        return WORDS[chance.integers(0, len(WORDS), rows)]
    return np.array([f"item {number:06d}" for number in numbers], object)


def day_values(
    day: int,
    here: NDArray[Any],
    state: NDArray[Any],
    traits: NDArray[Any],
    chance: np.random.Generator,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The columns of one day at the places that reported."""
    for column in DAY_COLUMNS:
        name, _, kind = column.partition(":")
        if kind == "name":
            yield name, np.array([f"place {place:03d}" for place in here], object)
        elif kind == "trait":
            yield name, traits[0 if name == "latitude" else 1, here]
        elif kind == "count":
            yield name, state[int(name[6:]), here]
        elif kind == "time":
            seconds = day * 86_400 + chance.integers(0, 86_400, len(here))
            yield name, START + (seconds * 1_000_000).astype("timedelta64[us]")
        elif kind == "float64":
            yield name, np.round(chance.gamma(2.0, 20.0, len(here)), 2)
        else:
            yield name, values(kind, len(here), chance)


LAKES: dict[str, Callable[[Path, float], Edges]] = {
    "shapes": shapes,
    "pairs": pairs,
    "drift": drift,
}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Write a lake of thousands of small tables.")
    arguments.add_argument("lake", type=Path)
    arguments.add_argument("kind", choices=LAKES)
    arguments.add_argument("--scale", type=float, default=1.0)
    chosen = arguments.parse_args()
    write_truth(chosen.lake, sorted(LAKES[chosen.kind](chosen.lake, chosen.scale)))
