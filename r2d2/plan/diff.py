"""Differences between two plans by kind: a decision, a setting, or only a measurement.

| kind | what |
|---|---|
| decision | a table's choice, its recipe, its parents, or the reason why it stays |
| snapshot | the lake itself: a table came, went or changed |
| setting | prices, rates, limits, protections, usage |
| money | what keeping, rebuilding and saving cost |
| measured | seconds of runs and what follows from them |
| solver | its name, version, status, bound |

The same graph, settings and measurements give the same bytes; a plan made afresh over the same lake
differs in what was measured only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from r2d2.plan.plan_form import Data

NUMBER = re.compile(r"\d[\d.]*(?: (?:ms|s|min|h|d)\b(?: \d+ (?:s|min|h)\b)?)?")
"""A number in a reason, or a span of time in one or two units."""


class DifferenceKind(str, Enum):
    """The subject of a difference, the gravest first."""

    DECISION = "decision"
    SNAPSHOT = "snapshot"
    SETTING = "setting"
    MONEY = "money"
    MEASURED = "measured"
    SOLVER = "solver"


@dataclass(frozen=True, slots=True)
class Difference:
    """`key` of `table` ("" for the plan itself) was `old` and is `new`; None is absent."""

    kind: DifferenceKind
    table: str
    key: str
    old: Any
    new: Any


KINDS: Mapping[str, DifferenceKind] = {
    "evidence.seconds": DifferenceKind.MEASURED,
    "totals.work_seconds": DifferenceKind.MEASURED,
    "evidence.trial_sha256": DifferenceKind.MEASURED,
    "rebuild_p95_s": DifferenceKind.MEASURED,
    "keep_usd_per_month": DifferenceKind.MONEY,
    "rebuild_usd_per_month": DifferenceKind.MONEY,
    "saving_usd_per_month": DifferenceKind.MONEY,
    "saving_at_least_usd_per_month": DifferenceKind.MONEY,
    "saving_at_most_usd_per_month": DifferenceKind.MONEY,
    "latency_limit_s": DifferenceKind.SETTING,
    "usage.reads_per_month": DifferenceKind.SETTING,
    "usage.last_read": DifferenceKind.SETTING,
    "usage.unread": DifferenceKind.SETTING,
    "usage.consumers": DifferenceKind.SETTING,
    "usage.consumer_names": DifferenceKind.SETTING,
    "solver.bound_usd_per_month": DifferenceKind.MONEY,
    "tenant": DifferenceKind.SETTING,
    "size_bytes": DifferenceKind.SNAPSHOT,
    "files": DifferenceKind.SNAPSHOT,
    "files_sha256": DifferenceKind.SNAPSHOT,
    "inside": DifferenceKind.SNAPSHOT,
    "run.graph_sha256": DifferenceKind.SNAPSHOT,
}
"""Keys of another kind than their section; other keys of a table are decisions."""
OF_WORK = ("totals.work_usd", "totals.payback_months")
"""Money, that follows from measured seconds where these differ."""
DECIDING = ("choice", "reason")
"""The keys that are reported where the choice is another; all else follows from it."""
ABSENT = "nothing"
SECTIONS: Mapping[str, DifferenceKind] = {
    "lake": DifferenceKind.SNAPSHOT,
    "snapshots": DifferenceKind.SNAPSHOT,
    "settings": DifferenceKind.SETTING,
    "totals": DifferenceKind.MONEY,
    "solver": DifferenceKind.SOLVER,
    "run": DifferenceKind.MEASURED,
    "find": DifferenceKind.SETTING,
    "owners": DifferenceKind.SNAPSHOT,
    "version": DifferenceKind.SETTING,
    "warnings": DifferenceKind.SETTING,
}


def differences(old: Data, new: Data) -> tuple[Difference, ...]:
    """All differences, by kind, table and key."""
    order = list(DifferenceKind)
    both = (*_of_tables(old, new), *_of_the_plan(old, new))
    return tuple(sorted(both, key=lambda d: (order.index(d.kind), d.table, d.key)))


def _of_tables(old: Data, new: Data) -> Iterator[Difference]:
    before = {table["table"]: table for table in old["tables"]}
    after = {table["table"]: table for table in new["tables"]}
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            choices = [tables.get(name, {}).get("choice") for tables in (before, after)]
            yield Difference(DifferenceKind.SNAPSHOT, name, "choice", *choices)
            continue
        flat = _flat(before[name]), _flat(after[name])
        keys = _different(*flat)
        for key in DECIDING if "choice" in keys else keys:
            values = flat[0].get(key), flat[1].get(key)
            yield Difference(_kind(key, *values), name, key, *values)


def _kind(key: str, old: Any, new: Any) -> DifferenceKind:
    if key == "reason" and NUMBER.sub("", str(old)) == NUMBER.sub("", str(new)):
        return DifferenceKind.MEASURED
    return KINDS.get(key, DifferenceKind.DECISION)


def _of_the_plan(old: Data, new: Data) -> Iterator[Difference]:
    for section, kind in SECTIONS.items():
        flat = _flat({section: old.get(section)}), _flat({section: new.get(section)})
        keys = _different(*flat)
        for key in keys:
            of_key = KINDS.get(key, kind)
            if key in OF_WORK and "totals.work_seconds" in keys:
                of_key = DifferenceKind.MEASURED
            yield Difference(of_key, "", key, flat[0].get(key), flat[1].get(key))


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """The values under dotted keys; a recipe is one value, as it is one decision."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping) and key != "recipe":
            flat |= {f"{key}.{inner}": inside for inner, inside in _flat(value).items()}
        else:
            flat[key] = value
    return flat


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


def different_places(stated: Any, derived: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place where the two differ, with both values."""
    match stated, derived:
        case dict(), dict():
            for key in sorted(stated.keys() | derived.keys()):
                inner = f"{place}.{key}" if place else str(key)
                values = stated.get(key, ABSENT), derived.get(key, ABSENT)
                yield from different_places(*values, inner)
        case (list(), list()) if len(stated) == len(derived):
            for number, values in enumerate(zip(stated, derived, strict=True)):
                named = values[0].get("table") if isinstance(values[0], Mapping) else None
                yield from different_places(
                    *values, f"{place}[{number if named is None else named}]"
                )
        case _:
            same = isinstance(stated, bool) is isinstance(derived, bool) and stated == derived
            if not same:
                yield place, stated, derived


def short_text(value: Any) -> str:
    """The value on part of a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
