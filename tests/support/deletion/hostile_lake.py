"""A lake of one parent and as many children as are asked for, with hostile names of all kinds."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.support.recipes.hostile import HOSTILE
from tests.support.recipes.name_traps import NAMES

ROWS = 120
MORE = (
    *("{}; rm -rf *", "$(touch x){}", "`touch x`{}", "{} | cat", "-rf{}", "--{}", "~root{}"),
    *("..{}", "...{}", "a..{}..", "%2e%2e%2f{}", "%00{}", "{}?sig=1", "{}#x", "s3:{}", "file:{}"),
    *("=cmd|' /C calc'!A{}", "+{}", "@{}", "\t{}", "{}\n", '{}\n{{"number": 1}}', "{}\r\x1b[2J"),
    *('"}},{{"event":"purged"}}{}', "<script>{}</script>", "{{{{7*7}}}}{}", "%s%n{}", "\\x00{}"),
    *("{}' OR 1=1 --", '{}" OR ""="', "*{}", "?{}", "[!a]{}", "{{a,b}}{}", "con{}", "nul.{}"),
    *("\u200b{}", "\u202e{}", "\ud7ff{}", "\uffff{}", "\U0010ffff{}", "i\u0307{}", "ﬁ{}", "K{}"),
)
"""Forms of names; the number makes each another."""


def hostile_names(count: int) -> list[str]:
    """So many names of tables, no two alike for any file system or reader."""
    found = dict[str, str]()
    for name in _names():
        if len(found) == count:
            break
        if len(name.encode()) < 200 and not name.startswith(("\\", ".", "_")) and "/" not in name:
            found.setdefault(name.strip().casefold(), name)
    return [*found.values()]


def _names() -> Iterator[str]:
    yield from (*HOSTILE, *NAMES)
    for number in itertools.count():
        yield from (form.format(number) for form in MORE)


def write_hostile_lake(lake: Path, names: list[str]) -> dict[str, pa.Table]:
    """The children by location: each is a column of the parent's, where it has one value.

    Tables, columns and values have the names; each third child is a folder but for partitions.
    """
    columns = {"id": pa.array(range(ROWS))}
    for number, name in enumerate(names):
        values = [name if (row + number) % 3 else f"{name}{row % 2}" for row in range(ROWS)]
        columns[f"{name}{number}"] = pa.array(values)
    whole, children = pa.table(columns), dict[str, pa.Table]()
    lake.mkdir(parents=True)
    pq.write_table(whole, lake / "whole.parquet")
    for number, name in enumerate(names):
        column = f"{name}{number}"
        rows = whole.select(["id", column]).filter(pc.equal(whole[column], name))
        if number % 3 or "=" in name:
            place = location = f"{name}.parquet"
        else:
            place, location = f"{name}/part-00000-x.parquet", name
        (lake / place).parent.mkdir(exist_ok=True)
        pq.write_table(rows, lake / place)
        children[location] = rows
    return children
