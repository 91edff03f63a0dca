"""The differences of two reports: money by part, time, cores and tasks, the largest change first.

Applications are the same run where id and attempt agree, and else the same work where the name
does: the same job run again has another id. Names that occur more than once are paired in the
order of their start.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from r2d2.text_tables import aligned, duration, printable
from r2d2.vmcost.report.bars import PARTS
from r2d2.vmcost.report.figures import (
    MEASURED,
    UNKNOWN,
    Data,
    cluster_text,
    count,
    money,
    priced,
    problem_words,
    share,
)

WHOLES = ("usd", "duration_s", "core_seconds", "busy_fraction", "tasks")
SHOWN = 20
LABELS = {
    "duration_s": "duration",
    "core_seconds": "core-seconds",
    "busy_fraction": "busy cores",
    "tasks": "tasks",
}


class Match(str, Enum):
    """The property by which two applications are the same."""

    ID = "the same application and attempt"
    NAME = "the same name"


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of both runs, None where it is unknown; `basis` is measured, priced or modelled."""

    figure: str
    basis: str
    old: float | None
    new: float | None

    @property
    def by(self) -> float | None:
        """New less old."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def by_fraction(self) -> float | None:
        """The change over the old figure; None where that is 0 or unknown."""
        return self.by / self.old if self.by is not None and self.old else None


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact in words, of the old run and the new."""

    fact: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RunDifference:
    """Two runs compared: `wholes` in the order of WHOLES, `parts` of the money in that of PARTS.
    `facts` are those that differ: machines, prices, and what they are as of. `explained_by` is the
    part of the money that changed most, in either direction; None where no part changed or one run
    has no money.
    """

    name: str
    old_id: str
    new_id: str
    match: Match
    wholes: tuple[FigureChange, ...]
    parts: tuple[FigureChange, ...]
    facts: tuple[FactChange, ...]
    explained_by: FigureChange | None


@dataclass(frozen=True, slots=True)
class Differences:
    """The pairs in the new report's order, and the applications that have no counterpart."""

    runs: tuple[RunDifference, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def differences(old_report: Data, new_report: Data) -> Differences:
    """Each application of the new report beside its counterpart of the old one."""
    old, new = old_report["applications"], new_report["applications"]
    pairs = _pairs(old, new)
    taken = {position for position, _ in pairs.values()}
    return Differences(
        tuple(_difference(old[pairs[n][0]], new[n], pairs[n][1]) for n in sorted(pairs)),
        tuple(_label(application) for n, application in enumerate(old) if n not in taken),
        tuple(_label(application) for n, application in enumerate(new) if n not in pairs),
    )


def _pairs(old: Sequence[Data], new: Sequence[Data]) -> dict[int, tuple[int, Match]]:
    """By position in the new report: the position in the old one, and why."""
    pairs: dict[int, tuple[int, Match]] = {}
    for match, key in ((Match.ID, _identity), (Match.NAME, _name)):
        taken = {position for position, _ in pairs.values()}
        waiting: defaultdict[object, list[int]] = defaultdict(list)
        for position in _in_order(old):
            if position not in taken:
                waiting[key(old[position])].append(position)
        for position in _in_order(new):
            if position not in pairs and waiting[key(new[position])]:
                pairs[position] = (waiting[key(new[position])].pop(0), match)
    return pairs


def _in_order(applications: Sequence[Data]) -> list[int]:
    return sorted(range(len(applications)), key=lambda n: (str(applications[n]["started"]), n))


def _identity(application: Data) -> object:
    return application["application_id"], application["attempt"]


def _name(application: Data) -> object:
    return application["name"]


def _label(application: Data) -> str:
    attempt = f" attempt {application['attempt']}" if application["attempt"] else ""
    return f"{application['application_id']}{attempt}"


def _difference(old: Data, new: Data, match: Match) -> RunDifference:
    parts = _part_changes(old["money"], new["money"])
    changed = [change for change in parts if change.by]
    return RunDifference(
        new["name"],
        _label(old),
        _label(new),
        match,
        tuple(_whole(name, old, new) for name in WHOLES),
        parts,
        tuple(fact for fact in _facts(old, new) if fact.old != fact.new),
        max(changed, key=lambda change: abs(change.by or 0), default=None),
    )


def _whole(figure: str, old: Data, new: Data) -> FigureChange:
    basis = _priced(new) if figure == "usd" else MEASURED
    return FigureChange(figure, basis, old[figure], new[figure])


def _priced(application: Data) -> str:
    return "no price" if application["usd"] is None else priced(application["prices"])


def _part_changes(old: Data | None, new: Data | None) -> tuple[FigureChange, ...]:
    if old is None or new is None:
        return ()
    unknown = sorted((old.keys() | new.keys()) - PARTS.keys())
    return tuple(
        FigureChange(part, "priced", old.get(part, 0.0), new.get(part, 0.0))
        for part in (*PARTS, *unknown)
        if part in old or part in new
    )


def _facts(old: Data, new: Data) -> list[FactChange]:
    prices = [_prices(application) for application in (old, new)]
    return [
        FactChange("machines", cluster_text(old["cluster"]), cluster_text(new["cluster"])),
        FactChange("money", _priced(old), _priced(new)),
        *(
            FactChange(f"price of {sku}, {kind}", prices[0][sku, kind], prices[1][sku, kind])
            for sku, kind in sorted(prices[0].keys() & prices[1].keys())
        ),
    ]


def _prices(application: Data) -> dict[tuple[str, str], str]:
    return {
        (price["sku"], price["kind"]): f"${price['usd_per_hour']:g} an hour"
        for price in application["prices"]
    }


def difference_lines(between: Differences) -> Iterator[str]:
    """Each pair of runs, then those without a counterpart."""
    if not between.runs:
        yield "no application is in both reports, by its id or by its name"
    for number, run in enumerate(between.runs):
        if number:
            yield ""
        yield from _run_lines(run)
    for title, names in (("the old", between.only_old), ("the new", between.only_new)):
        yield from (f"only in {title} report: {printable(name)}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"… and {len(names) - SHOWN:,} more only in {title} report"


def _run_lines(run: RunDifference) -> Iterator[str]:
    """One pair: what changed most, then every figure of both."""
    runs = f"{printable(run.old_id)} → {printable(run.new_id)}"
    yield f"{printable(run.name)}: {runs} ({run.match.value})"
    yield f"  {_explanation(run)}"
    for fact in run.facts:
        yield f"  {printable(fact.fact)}: {printable(fact.old)} → {printable(fact.new)}"
    usd, *others = run.wholes
    whole = usd.old or usd.new
    parts = sorted(run.parts, key=lambda change: -abs(change.by or 0))
    rows = [_row("  cost", usd, whole)]
    rows += [_row(f"    {_figure_label(p.figure)}", p, whole) for p in parts if p.by]
    rows += [_row(f"  {_figure_label(change.figure)}", change, whole) for change in others]
    yield from aligned([("  figure", "old", "new", "change", "", "basis"), *rows])


def _explanation(run: RunDifference) -> str:
    usd = run.wholes[0]
    if usd.old is None or usd.new is None:
        return "no money to compare: " + _without_money(run.wholes)
    if run.explained_by is None or not run.explained_by.by:
        return "the money is the same, part by part"
    by, whole_by = run.explained_by.by, usd.new - usd.old
    return (
        f"{_figure_label(run.explained_by.figure)} changed most: {_signed(money(by, usd.old), by)};"
        f" the whole {_signed(money(whole_by, usd.old), whole_by)}"
    )


def _without_money(wholes: Sequence[FigureChange]) -> str:
    cores = next(change for change in wholes if change.figure == "core_seconds")
    by = cores.by or 0.0
    return f"core-seconds changed by {_signed(count(by), by)} ({_percent(cores)})"


def _row(label: str, change: FigureChange, whole_usd: float | None) -> tuple[str, ...]:
    by = change.by
    return (
        label,
        _figure(change, change.old, whole_usd),
        _figure(change, change.new, whole_usd),
        UNKNOWN if by is None else _signed(_figure(change, by, whole_usd), by),
        _percent(change),
        change.basis,
    )


def _figure_label(figure: str) -> str:
    return LABELS.get(figure) or PARTS.get(figure, (problem_words(figure), ""))[0]


def _figure(change: FigureChange, value: float | None, whole_usd: float | None) -> str:
    match change.figure:
        case "duration_s":
            return duration(value)
        case "busy_fraction":
            return share(value)
        case "tasks" | "core_seconds":
            return count(value)
    return money(value, whole_usd)


def _percent(change: FigureChange) -> str:
    fraction = change.by_fraction
    return UNKNOWN if fraction is None else _signed(share(fraction), fraction)


def _signed(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else text
