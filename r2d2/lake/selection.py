"""The tables of a lake that a run looks at: by patterns, and a sample of a large lake.

The others are not opened. They stay in the inventory, with the reason: none is child or parent of
an edge, none is planned for deletion, and the files that they own are no tables of their own.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from r2d2.lake.name_forms import stem
from r2d2.model import FileGroup, Table
from r2d2.settings import is_among
from r2d2.settings.find import Settings
from r2d2.storage.local import snapshot_of
from r2d2.text_tables import pluralize

EXCLUDED, NOT_INCLUDED, NOT_SAMPLED = "excluded by ", "not included", "not in the sample of "


def is_left_out_as_asked(table: Table) -> bool:
    """Whether the user asked that the table is not looked at."""
    return is_as_asked(table.problem)


def is_as_asked(problem: str | None) -> bool:
    """Whether this reason to leave a table out is the user's own."""
    return (problem or "").startswith((EXCLUDED, NOT_INCLUDED, NOT_SAMPLED))


@dataclass(frozen=True, slots=True)
class Selection:
    """The groups to look at, and the tables that nobody is to look at."""

    groups: tuple[FileGroup, ...]
    left_out: tuple[Table, ...]


def selected(groups: Sequence[FileGroup], settings: Settings) -> Selection:
    """The groups that the settings' `include`, `exclude` and `sample_tables` leave."""
    if not (settings.include or settings.exclude or settings.sample_tables):
        return Selection(tuple(groups), ())
    reasons = {group.location: _reason(group, settings) for group in groups}
    if settings.sample_tables:
        chosen = [group.location for group in groups if reasons[group.location] is None]
        told = f"{NOT_SAMPLED}{pluralize(settings.sample_tables, 'table')}"
        sampled = set(_sample(chosen, settings.sample_tables))
        reasons |= {location: told for location in chosen if location not in sampled}
    left_out = (_left_out(group, reasons[group.location]) for group in groups)
    return Selection(
        tuple(group for group in groups if reasons[group.location] is None),
        tuple(table for table in left_out if table.problem is not None),
    )


def _reason(group: FileGroup, settings: Settings) -> str | None:
    """Why patterns leave the table out; None where they do not."""
    location = group.location or "."
    for pattern in settings.exclude:
        if is_among(location, pattern):
            return f"{EXCLUDED}{pattern!r}"
    if settings.include and not any(is_among(location, each) for each in settings.include):
        return NOT_INCLUDED
    return None


def _left_out(group: FileGroup, reason: str | None) -> Table:
    return Table(
        group.location or ".",
        group.format,
        size_bytes=sum(file.size_bytes for file in group.files),
        files=group.files,
        snapshot=snapshot_of(group.files),
        problem=reason,
    )


def _sample(locations: Sequence[str], count: int) -> Iterator[str]:
    """So many of the locations, always the same; tables of like names come together.

    Copies and slices of a table mostly have its name but for digits, wherever they lie: chosen one
    by one, hardly any two tables of a small sample would have to do with each other.
    """
    families: dict[str, list[str]] = defaultdict(list)
    for location in locations:
        families[_family(location)].append(location)
    for family in sorted(families, key=lambda name: blake2b(name.encode()).digest()):
        for location in sorted(families[family]):
            if count == 0:
                return
            count -= 1
            yield location


def _family(location: str) -> str:
    """The letters of the table's own name, without those of a version.

    >>> _family("a/Flights_2013-01.parquet"), _family("backup/flights_v2.csv.gz")
    ('flights', 'flights')
    """
    name = stem(location.rpartition("/")[2]).lower()
    return re.sub(r"(?<![^\W\d_])v[0-9]+|[\d_\W]+", "", name) or name
