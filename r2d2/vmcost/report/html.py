"""The report as one HTML page that asks for nothing: no script, no request, all text escaped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from r2d2.page import environment, render
from r2d2.text_tables import duration, human_bytes
from r2d2.vmcost.report import figures
from r2d2.vmcost.report.bars import Bar, money_bars, sentence, time_bars, vm_bars
from r2d2.vmcost.report.figures import Data
from r2d2.vmcost.report.owners import month_rows, trend_text
from r2d2.vmcost.report.timeline import SHADES, Timeline, timeline

PAGE_CELLS, LEAST_CELLS, MOST_CELLS = 400_000, 4_000, 40_000
"""Cells of all pictures of a page together, and of one: a page of hundreds stays below 10 MB."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Section:
    """An application and what of it is drawn rather than written."""

    anchor: str
    told: Data
    priced: str
    picture: Timeline | None
    money: tuple[Bar, ...]
    vms: tuple[Bar, ...]
    time: tuple[Bar, ...]
    saving_usd: float | None


def page(report: Data) -> str:
    """The page of all applications, the dearest first.

    A Content-Security-Policy allows its own style sheet, by hash, and nothing else.
    """
    applications: Sequence[Data] = sorted(report["applications"], key=SORTS["cost"][1])
    cells = PAGE_CELLS // max(len(applications), 1)
    cells = min(max(cells, LEAST_CELLS), MOST_CELLS)
    known = [a["usd"] for a in applications if a["usd"] is not None]
    total_usd = sum(known) if known else None
    busy_usd = sum((a["money"] or {}).get("busy", 0) for a in applications)
    sections = [_section(number, a, cells) for number, a in enumerate(applications, start=1)]
    made = _environment()
    made.globals.update(orders=Markup(_orders(applications)))
    return render(
        made,
        "page.html.jinja",
        style="page.css",
        report=report,
        sections=sections,
        anchors={_key(section.told): section.anchor for section in sections},
        sorts=[(key, label) for key, (label, _) in SORTS.items()],
        total_usd=total_usd,
        paid_for_work=busy_usd / total_usd if total_usd else 0.0,
        most_usd=max(known, default=None),
        unknown=len(applications) - len(known),
        damage=figures.damage_text(applications),
        all_priced=figures.priced([price for a in applications for price in a["prices"]]),
    )


SORTS: Mapping[str, tuple[str, Callable[[Data], Any]]] = {
    "cost": ("cost", lambda a: -(a["usd"] or 0)),
    "save": ("to save", lambda a: -(_saving_usd(a) or 0)),
    "name": ("name", lambda a: str(a["name"])),
    "start": ("start", lambda a: str(a["started"])),
    "time": ("duration", lambda a: -a["duration_s"]),
    "busy": ("least busy", lambda a: a["busy_fraction"] or 0),
}
"""The orders of the list of applications, each with its label and key."""


def _orders(applications: Sequence[Data]) -> str:
    """The style by which a chosen order lays out the rows: a page without scripts can sort."""
    if len(applications) < 2:
        return ""
    ranks: list[list[str]] = [[] for _ in applications]
    rules = []
    for name, (_, key) in SORTS.items():
        keys = [key(application) for application in applications]
        for rank, at in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
            ranks[at].append(f"--{name}:{rank}")
        rules.append(f"nav:has(.by-{name}:checked) .index tbody tr > *{{order:var(--{name})}}")
    for at, orders in enumerate(ranks, start=1):
        rules.append(f".index tbody tr:nth-child({at}){{{';'.join(orders)}}}")
    return "\n".join(rules)


def _key(row: Data) -> str:
    return f"{row['application_id']}/{row['attempt']}"


def _saving_usd(application: Data) -> float | None:
    """The largest saving of one action."""
    actions = application.get("what_to_do") or ()
    return max((action["saving_usd"] for action in actions), default=None)


def _section(number: int, application: Data, cells: int) -> Section:
    return Section(
        f"application-{number}",
        application,
        figures.priced(application["prices"]),
        timeline(application, cells),
        money_bars(application),
        vm_bars(application),
        time_bars(application),
        _saving_usd(application),
    )


def _environment() -> Environment:
    made = environment("r2d2.vmcost.report")
    made.filters.update(
        money=figures.money,
        duration=duration,
        percent=figures.share,
        number=figures.count,
        candidate=figures.candidate_text,
        cluster=figures.cluster_text,
        started=figures.started_text,
        basis=figures.basis_text,
        words=figures.problem_words,
        sentence=sentence,
        months=month_rows,
        runs=figures.runs_text,
        trend=trend_text,
        size=lambda value: figures.UNKNOWN if value is None else human_bytes(value),
        top=top,
    )
    made.globals.update(shades=SHADES, shown=SHOWN)
    return made


def top(rows: Sequence[Data], most: int = SHOWN) -> list[Data]:
    """The rows with the most money, then the most task time."""
    return sorted(rows, key=lambda row: (-(row["usd"] or 0), -row["task_s"]))[:most]
