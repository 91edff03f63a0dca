"""The differences of two reports in lines of text, what explains them first."""

from collections.abc import Iterator, Sequence

from r2d2.report.words import aligned, printable
from r2d2.vmcost.report.bars import PARTS
from r2d2.vmcost.report.diff import Change, Differences, RunDifference
from r2d2.vmcost.report.figures import UNKNOWN, count, duration, money, problem_words, share

SHOWN = 20
LABELS = {
    "duration_s": "duration",
    "core_seconds": "core-seconds",
    "busy_fraction": "busy cores",
    "tasks": "tasks",
}


def difference_lines(found: Differences) -> Iterator[str]:
    """Each pair of runs, then those without a counterpart."""
    if not found.runs:
        yield "no application is in both reports, by its id or by its name"
    for number, run in enumerate(found.runs):
        if number:
            yield ""
        yield from run_lines(run)
    for title, names in (("the old", found.only_old), ("the new", found.only_new)):
        yield from (f"only in {title} report: {printable(name)}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"… and {len(names) - SHOWN:,} more only in {title} report"


def run_lines(run: RunDifference) -> Iterator[str]:
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
    rows += [_row(f"    {_label(p.figure)}", p, whole) for p in parts if p.by]
    rows += [_row(f"  {_label(change.figure)}", change, whole) for change in others]
    yield from aligned([("  figure", "old", "new", "change", "", "basis"), *rows])


def _explanation(run: RunDifference) -> str:
    usd = run.wholes[0]
    if usd.old is None or usd.new is None:
        return "no money to compare: " + _without_money(run.wholes)
    if run.explained_by is None or not run.explained_by.by:
        return "the money is the same, part by part"
    by, whole_by = run.explained_by.by, usd.new - usd.old
    return (
        f"{_label(run.explained_by.figure)} changed most: {_signed(money(by, usd.old), by)};"
        f" the whole {_signed(money(whole_by, usd.old), whole_by)}"
    )


def _without_money(wholes: Sequence[Change]) -> str:
    cores = next(change for change in wholes if change.figure == "core_seconds")
    by = cores.by or 0.0
    return f"core-seconds changed by {_signed(count(by), by)} ({_percent(cores)})"


def _row(label: str, change: Change, whole_usd: float | None) -> tuple[str, ...]:
    by = change.by
    return (
        label,
        _figure(change, change.old, whole_usd),
        _figure(change, change.new, whole_usd),
        UNKNOWN if by is None else _signed(_figure(change, by, whole_usd), by),
        _percent(change),
        change.basis,
    )


def _label(figure: str) -> str:
    return LABELS.get(figure) or PARTS.get(figure, (problem_words(figure), ""))[0]


def _figure(change: Change, value: float | None, whole_usd: float | None) -> str:
    match change.figure:
        case "duration_s":
            return duration(value)
        case "busy_fraction":
            return share(value)
        case "tasks" | "core_seconds":
            return count(value)
    return money(value, whole_usd)


def _percent(change: Change) -> str:
    fraction = change.by_fraction
    return UNKNOWN if fraction is None else _signed(share(fraction), fraction)


def _signed(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else text
