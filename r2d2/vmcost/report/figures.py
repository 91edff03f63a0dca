"""The report's figures as text: money, spans of time, shares, and the basis of each.

And the report as CSV files, a row an application, part of money, job, stage, executor, action,
group of a chargeback, or trend. There
times are seconds, sizes bytes, money USD; unknown is empty. `busy_fraction` is task time over core
time. Text that a spreadsheet would take for a formula gets an apostrophe before it, and control
characters are written as escapes, so that each row is a line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any, TypeAlias

from r2d2.storage.output import Recognisers, json_with, text_with
from r2d2.text_tables import by_number, csv_text, pluralize, printable

Data: TypeAlias = Mapping[str, Any]
"""A report, or a part of one, as plain data."""
MEASURED = "measured"
UNKNOWN = "–"
DAMAGED_NAMED = 5
_NAME = re.compile(r"[a-z0-9_]+")


def money(amount_usd: float | None, whole_usd: float | None = None) -> str:
    """The amount with as many decimals as show four digits of the whole, two at least.

    >>> money(0.13392), money(0.0005, 0.13392), money(-1234.5), money(None)
    ('$0.1339', '$0.0005', '-$1,234.50', '–')
    """
    if amount_usd is None:
        return UNKNOWN
    whole = abs(amount_usd if whole_usd is None else whole_usd)
    decimals = min(max(3 - floor(log10(whole)), 2), 8) if whole else 2
    text = f"{abs(amount_usd):,.{decimals}f}"
    return f"-${text}" if amount_usd < 0 and text.strip("0.,") else f"${text}"


def share(fraction: float | None) -> str:
    """A fraction as a percentage, with what is not nothing never shown as 0.

    >>> share(0.679), share(0.00002), share(-0.00002), share(0), share(None)
    ('67.9 %', '<0.1 %', '>-0.1 %', '0.0 %', '–')
    """
    if fraction is None:
        return UNKNOWN
    if fraction and abs(fraction) < 0.0005:
        return "<0.1 %" if fraction > 0 else ">-0.1 %"
    return f"{fraction:.1%}".replace("%", " %")


def count(number: float | None) -> str:
    """A count, or seconds, with thousands apart and no decimals that nobody reads.

    >>> count(8630), count(1993.48), count(0.25)
    ('8,630', '1,993.5', '0.25')
    """
    if number is None:
        return UNKNOWN
    if isinstance(number, int) or number == 0:
        return f"{number:,.0f}"
    return f"{number:,.1f}" if abs(number) >= 10 else f"{number:.3g}"


def priced(prices: Sequence[Data]) -> str:
    """The mark of money: the date of the oldest price that it rests on.

    >>> priced([{"as_of": "2026-09-01", "age_days": 24}])
    'priced (as of 2026-09-01, 24 days old)'
    """
    if not prices:
        return "priced"
    oldest = min(prices, key=lambda price: str(price["as_of"]))
    days = oldest["age_days"]
    return f"priced (as of {oldest['as_of']}, {pluralize(days, 'day')} old)"


def basis_text(basis: str, prices: Sequence[Data]) -> str:
    """The basis of a figure; money with the date of its prices."""
    return priced(prices) if basis == "priced" else basis


def cluster_text(cluster: Data | None) -> str:
    """The machines in words: how many of which, the driver's, where, and how they are paid."""
    if cluster is None:
        return "machines unknown"
    number = "VMs of" if cluster["count"] is None else f"{cluster['count']:,} ×"
    driver = f" + {cluster['driver_vm']} as driver" if cluster["driver_vm"] else ""
    paid = "spot" if cluster["spot"] else "on demand"
    return f"{number} {cluster['vm']}{driver}, {paid}, {cluster['provider']} {cluster['region']}"


def candidate_text(candidate: Data) -> str:
    """A machine that fits: where it is rented, and its size."""
    place = " ".join(filter(None, (candidate.get("provider"), candidate.get("region"))))
    number = "" if candidate["count"] is None else f"{candidate['count']:,} × "
    size = f"{candidate['vcpu']} vCPU, {count(candidate['mem_mib'] / 1024)} GiB"
    return f"{number}{candidate['sku']}{f', {place}' if place else ''} ({size})"


def started_text(application: Data) -> str:
    """The start of the application, to the second, and whether its log has an end."""
    moment = str(application["started"]).replace("T", " ")
    moment = moment.split(".")[0].removesuffix("Z").removesuffix("+00:00")
    return f"{moment} UTC" + ("" if application["ended_told"] else ", no end in the log")


def problem_words(name: str) -> str:
    """A name such as `job_without_end` as words; what is a sentence already stays as it is."""
    return name.replace("_", " ") if _NAME.fullmatch(name) else name


def paid(row: Data) -> Data:
    """A row of a chargeback; its money is unknown where no run of it has a price."""
    unknown = dict.fromkeys(("usd", "usd_per_month", "share"))
    return row if row["unpriced"] < row["runs"] else {**row, **unknown}


def runs_text(row: Data) -> str:
    """The runs of a row of a chargeback, and how many of them have no price."""
    without = f" ({row['unpriced']:,} without a price)" if row["unpriced"] else ""
    return f"{row['runs']:,}{without}"


DAMAGE = ("file_damaged", "file_truncated", "line_malformed", "line_too_long", "part_missing")


def damage_text(applications: Sequence[Data]) -> str:
    """The applications whose logs are damaged, and by what; empty where none is."""
    told = []
    for application in applications:
        problems = application["problems"]
        found = [f"{problem_words(d)}: {problems[d]:,}" for d in DAMAGE if problems.get(d)]
        if found:
            told.append(f"{application['application_id']} ({', '.join(found)})")
    if not told:
        return ""
    more = f" and {len(told) - DAMAGED_NAMED:,} more" if len(told) > DAMAGED_NAMED else ""
    logs = f"{pluralize(len(told), 'log')} {by_number(len(told), 'is', 'are')} damaged"
    return f"{logs}, and told as far as {by_number(len(told), 'it', 'they')} could be read:" + (
        f" {', '.join(told[:DAMAGED_NAMED])}{more}"
    )


APPLICATION = ("application_id", "attempt")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "applications.csv": (
        *APPLICATION, "name", "spark_version", "started", "ended_told", "duration_s",
        "core_seconds", "tasks", "busy_fraction", "usd", "why", "provider", "region", "vm", "count",
        "driver_vm", "spot", "oldest_price", "energy_kwh", "user", "usd_per_month", "fees_usd",
    ),
    "what_to_do.csv": (
        *APPLICATION, "name", "kind", "saving_usd", "saving_usd_per_month", "basis", "told",
    ),
    "chargeback.csv": (
        "by", "key", "runs", "usd", "usd_per_month", "share", "core_seconds", "unpriced",
    ),
    "trend.csv": (
        "name", "count", "last_usd", "usual_usd", "usd_change", "last_s", "usual_s",
        "duration_change",
    ),
    "money.csv": (*APPLICATION, "part", "usd"),
    "jobs.csv": (*APPLICATION, "job", "name", "usd", "task_s"),
    "stages.csv": (
        *APPLICATION, "stage", "stage_attempt", "name", "usd", "task_s", "tasks", "cpu_s", "gc_s",
        "fetch_wait_s", "deserialize_s", "spilled_bytes", "task_median_s", "task_p95_s",
        "task_max_s", "skew", "read_median_bytes", "read_p95_bytes", "read_max_bytes",
    ),
    "executors.csv": (
        *APPLICATION, "executor", "host", "cores", "start_s", "end_s", "usd", "task_s",
        "removed_reason", "asked_memory_bytes", "used_memory_bytes",
    ),
}  # fmt: skip
REPORT_FILES: Recognisers = {
    "report.json": json_with("version", "applications"),
    "report.html": lambda content: b"<title>What the cluster cost</title>" in content,
    **{name: text_with(",".join(columns[:3]) + ",") for name, columns in COLUMNS.items()},
}
"""The files of a report, and how each is known as r2d2's."""


def csv_texts(report: Data) -> dict[str, str]:
    """Each file's name and text, rows in the report's order."""
    applications = report["applications"]
    rows = {
        "applications.csv": map(_application, applications),
        "what_to_do.csv": (action for a in applications for action in a["what_to_do"]),
        "chargeback.csv": map(paid, report.get("chargeback", ())),
        "trend.csv": report.get("trend", ()),
        "money.csv": (row for a in applications for row in _money(a)),
        "jobs.csv": _listed(applications, "by_job"),
        "stages.csv": _listed(applications, "by_stage"),
        "executors.csv": _listed(applications, "by_executor"),
    }
    return {name: _text(COLUMNS[name], file_rows) for name, file_rows in rows.items()}


def _application(application: Data) -> Data:
    cluster = application["cluster"] or {}
    energy = application["energy"] or {}
    dates = [str(price["as_of"]) for price in application["prices"]]
    return {
        **application,
        **cluster,
        "oldest_price": min(dates, default=None),
        "energy_kwh": energy.get("kwh"),
    }


def _money(application: Data) -> Iterator[Data]:
    for part, usd in (application["money"] or {}).items():
        yield {**application, "part": part, "usd": usd}


def _listed(applications: Iterable[Data], key: str) -> Iterator[Data]:
    """A stage's own attempt is told apart from its application's."""
    for application in applications:
        ids = {name: application[name] for name in APPLICATION}
        for row in application[key]:
            yield {**row, "stage_attempt": row.get("attempt"), **ids}


def _text(columns: Sequence[str], rows: Iterable[Data]) -> str:
    return csv_text(columns, ([_shown(row.get(name)) for name in columns] for row in rows))


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value
