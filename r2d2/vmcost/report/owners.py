"""Money by user, name and tag, of a month, and over runs of one name: chargeback and trends.

Money of a month is the mean of a name's runs times the runs that the settings expect of it, 30 by
default.
A trend compares the last run of a name with the median of those before it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean, median
from typing import Any

from r2d2.vmcost.report.figures import Data, duration, money, share

MOST_SHOWN_RUNS = 50
"""Of a name's runs the last ones are listed in its trend."""


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
    """The rows of a chargeback that are worth a look: by user, name and each tag of two values."""
    values: dict[str, int] = defaultdict(int)
    for row in rows:
        values[row["by"]] += 1
    return (row for row in rows if values[row["by"]] > 1 or row["by"] in ("user", "name"))
