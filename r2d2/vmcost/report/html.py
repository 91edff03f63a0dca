"""The report as one HTML page that asks for nothing: no script, no request, all text escaped."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment

from r2d2.page.base import environment, render
from r2d2.vmcost.report import figures
from r2d2.vmcost.report.bars import Bar, money_bars, sentence, time_bars, vm_bars
from r2d2.vmcost.report.figures import Data
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


def page(report: Data) -> str:
    """The page of all applications, in the report's order.

    A Content-Security-Policy allows its own style sheet, by hash, and nothing else.
    """
    applications: Sequence[Data] = report["applications"]
    cells = PAGE_CELLS // max(len(applications), 1)
    cells = min(max(cells, LEAST_CELLS), MOST_CELLS)
    known = [a["usd"] for a in applications if a["usd"] is not None]
    return render(
        _environment(),
        "page.html.jinja",
        style="page.css",
        report=report,
        sections=[_section(number, a, cells) for number, a in enumerate(applications, start=1)],
        total_usd=sum(known) if known else None,
        most_usd=max(known, default=None),
        unknown=len(applications) - len(known),
        all_priced=figures.priced([price for a in applications for price in a["prices"]]),
    )


def _section(number: int, application: Data, cells: int) -> Section:
    return Section(
        f"application-{number}",
        application,
        figures.priced(application["prices"]),
        timeline(application, cells),
        money_bars(application),
        vm_bars(application),
        time_bars(application),
    )


def _environment() -> Environment:
    made = environment("r2d2.vmcost.report")
    made.filters.update(
        money=figures.money,
        duration=figures.duration,
        percent=figures.share,
        number=figures.count,
        candidate=figures.candidate_text,
        cluster=figures.cluster_text,
        started=figures.started_text,
        basis=figures.basis_text,
        words=figures.problem_words,
        sentence=sentence,
        top=top,
    )
    made.globals.update(shades=SHADES, shown=SHOWN)
    return made


def top(rows: Sequence[Data], most: int = SHOWN) -> list[Data]:
    """The rows with the most money, then the most task time."""
    return sorted(rows, key=lambda row: (-(row["usd"] or 0), -row["task_s"]))[:most]
