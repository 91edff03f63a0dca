"""Answers for who owns applications: what to do, who pays, what a month costs, how runs change.

Advice that was modelled says what it saves. Besides, each part of the money that did no work is
bounded by itself: nobody can save more of it than it cost, and the text says what makes it smaller.

Money of a month is the mean of a name's runs times the runs that the settings expect of it, 30 by
default. A trend compares the last run of a name with the median of those before it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from r2d2.text_tables import duration
from r2d2.vmcost.report.figures import Data, money, paid, share

MOST_SHOWN_RUNS = 50
"""Of a name's runs the last ones are listed in its trend."""
LEAST_SHARE = 0.02
"""A part of less than a fiftieth of the money is not worth a line."""
SKEWED = 2.0
"""From so many times the median task's time on, a stage's slowest task is named."""
REMEDIES: Mapping[str, str] = {
    "idle_between_jobs": (
        "let executors go while no job runs: dynamic allocation, a shorter time-out, or a smaller"
        " cluster"
    ),
    "idle_in_jobs": "fewer cores, or more and more even tasks: cores waited while a job ran",
    "start_up": "start-up: a warm pool, or several jobs to one cluster",
    "failed": "find out why tasks failed or were killed: their work was paid twice",
    "stranded": "executors whose cores fill the VM: no executor owned these",
    "rounding": "run longer on fewer VMs: it ended before the billing minimum or quantum did",
    "driver": "a smaller VM for the driver, or one that several applications share",
}
"""The remedy that makes each part of the money smaller."""


def actions(application: Data, runs_per_month: float) -> list[dict[str, Any]]:
    """What to do, by what it saves; `basis` is modelled, or at most where a part bounds it."""
    found = [*_advised(application), *_bounded(application)]
    found.sort(key=lambda action: (-action["saving_usd"], action["kind"]))
    ids = {name: application[name] for name in ("application_id", "attempt", "name")}
    return [
        {**ids, **action, "saving_usd_per_month": action["saving_usd"] * runs_per_month}
        for action in found
    ]


def largest(applications: Sequence[Data], runs_per_month: float) -> list[dict[str, Any]]:
    """What to do about all of them: one row for a kind and a name, over its runs, by what it saves.

    The text of advice is that of the run in which it saves most.
    """
    same: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    runs = Counter(application["name"] for application in applications)
    whole_usd: dict[str, float] = defaultdict(float)
    for application in applications:
        whole_usd[application["name"]] += application["usd"] or 0.0
    for application in applications:
        for action in application["what_to_do"]:
            same[action["name"], action["kind"]].append(action)
    rows = []
    for (name, kind), actions_of_kind in same.items():
        most = max(actions_of_kind, key=lambda action: float(action["saving_usd"]))
        saving_usd = sum(action["saving_usd"] for action in actions_of_kind)
        month = {"saving_usd_per_month": saving_usd / runs[name] * runs_per_month}
        told = most["told"]
        if runs[name] > 1 and kind in REMEDIES:
            told = _part_told(kind, saving_usd, whole_usd[name])
        elif runs[name] > 1:
            told = f"in the run where it saves most: {told}"
        row = {**most, "told": told, "runs": runs[name], "saving_usd": saving_usd}
        rows.append({**row, **month})
    return sorted(rows, key=lambda row: (-row["saving_usd_per_month"], row["name"], row["kind"]))


def _advised(application: Data) -> Iterator[dict[str, Any]]:
    """Advice that is cheaper than today."""
    for advice in application["advice"]:
        if (advice.get("saving_usd") or 0) > 0:
            yield {
                "kind": advice["kind"],
                "told": advice["told"],
                "saving_usd": advice["saving_usd"],
                "basis": "modelled",
            }


def _bounded(application: Data) -> Iterator[dict[str, Any]]:
    """The parts of the money that did no work, each with its remedy."""
    whole = application["usd"]
    for part, usd in (application["money"] or {}).items():
        if part not in REMEDIES or not whole or usd < LEAST_SHARE * whole:
            continue
        told = _part_told(part, usd, whole)
        if part == "idle_in_jobs":
            told += _skewed(application["by_stage"])
        yield {"kind": part, "told": told, "saving_usd": usd, "basis": "at most"}


def _part_told(part: str, usd: float, whole: float) -> str:
    return f"{REMEDIES[part]} ({money(usd, whole)}, {share(usd / whole)} of the money)"


def _skewed(stages: Sequence[Data]) -> str:
    """The stage whose slowest task ran longest beyond the median, where it is skewed."""
    skewed = [stage for stage in stages if (stage.get("skew") or 0) >= SKEWED]
    worst = max(skewed, key=lambda stage: stage["straggling_s"], default=None)
    if worst is None:
        return ""
    return (
        f"; in stage {worst['stage']} the slowest task took {duration(worst['task_max_s'])},"
        f" the median one {duration(worst['task_median_s'])}"
    )


def usd_per_month(applications: Sequence[Data], runs_per_month: float) -> float | None:
    """The money of a month: of each name the mean of its priced runs, so many times."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for application in applications:
        if application["usd"] is not None:
            by_name[application["name"]].append(application["usd"])
    return sum(map(fmean, by_name.values())) * runs_per_month if by_name else None


def chargeback(applications: Sequence[Data], runs_per_month: float) -> list[dict[str, Any]]:
    """A row for each user, name and value of a tag, the dearest of each first; by is its column.

    Where the money of an application is not known, `usd` is that of the others, and `unpriced`
    counts it.
    """
    groups: dict[tuple[str, str], list[Data]] = defaultdict(list)
    for application in applications:
        groups["user", application["user"] or "unknown"].append(application)
        groups["name", application["name"]].append(application)
        for tag, value in application["tags"].items():
            groups[tag, value].append(application)
    whole_usd = sum(application["usd"] or 0 for application in applications)
    rows = [
        {
            **_group(by, key, same, whole_usd),
            "usd_per_month": usd_per_month(same, runs_per_month) or 0.0,
        }
        for (by, key), same in groups.items()
    ]
    rank = {by: at for at, by in enumerate(("user", "name"))}
    rows.sort(key=lambda row: (rank.get(row["by"], 2), row["by"], -row["usd"], row["key"]))
    return rows


def _group(by: str, key: str, same: Sequence[Data], whole_usd: float) -> dict[str, Any]:
    usd = sum(application["usd"] or 0 for application in same)
    return {
        "by": by,
        "key": key,
        "runs": len(same),
        "usd": usd,
        "share": usd / whole_usd if whole_usd else None,
        "core_seconds": sum(application["core_seconds"] for application in same),
        "unpriced": sum(application["usd"] is None for application in same),
    }


def trends(applications: Sequence[Data]) -> list[dict[str, Any]]:
    """A row for each name with several runs, the one whose money grew most first."""
    by_name: dict[str, list[Data]] = defaultdict(list)
    for application in applications:
        by_name[application["name"]].append(application)
    rows = [_trend(name, same) for name, same in by_name.items() if len(same) > 1]
    rows.sort(key=lambda row: (-(row["usd_change"] or 0), row["name"]))
    return rows


def _trend(name: str, same: Sequence[Data]) -> dict[str, Any]:
    runs = sorted(same, key=lambda each: (str(each["started"]), each["application_id"]))
    *before, last = runs
    usd = [run["usd"] for run in before if run["usd"] is not None]
    usual_usd = median(usd) if usd else None
    usual_s = median(run["duration_s"] for run in before)
    return {
        "name": name,
        "runs": [
            {key: run[key] for key in ("application_id", "started", "usd", "duration_s")}
            for run in runs[-MOST_SHOWN_RUNS:]
        ],
        "count": len(runs),
        "last_usd": last["usd"],
        "usual_usd": usual_usd,
        "usd_change": _change(usual_usd, last["usd"]),
        "last_s": last["duration_s"],
        "usual_s": usual_s,
        "duration_change": _change(usual_s, last["duration_s"]),
    }


def _change(usual: float | None, last: float | None) -> float | None:
    return last / usual - 1 if usual and last is not None else None


def trend_text(trend: Data) -> str:
    """A trend in a sentence."""
    usd, seconds = trend["usd_change"], trend["duration_change"]
    cost = "cost unknown"
    if trend["last_usd"] is not None:
        cost = f"{money(trend['last_usd'])}{_signed(usd)}"
    return (
        f"{trend['count']:,} runs; the last one {cost}, {duration(trend['last_s'])}"
        f"{_signed(seconds)}, beside the median of those before"
    )


def _signed(change: float | None) -> str:
    if change is None:
        return ""
    return f" ({'+' if change > 0 else ''}{share(change)})"


def month_rows(rows: Sequence[Data]) -> Iterator[Data]:
    """The rows of a chargeback that are worth a look: a tag that all runs have tells none apart."""
    every = sum(row["runs"] for row in rows if row["by"] == "name")
    shown = (row for row in rows if row["by"] in ("user", "name") or row["runs"] < every)
    return map(paid, shown)
