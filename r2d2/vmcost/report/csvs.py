"""The report as CSV files, a row an application, part of money, job, stage or executor.

Times are seconds, sizes bytes, money USD; unknown is empty. `busy_fraction` is task time over core
time. Text that a spreadsheet would take for a formula gets an apostrophe before it, and control
characters are written as escapes, so that each row is a line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from r2d2.storage.output import Recognisers, json_with, text_with
from r2d2.text_tables import csv_text, printable
from r2d2.vmcost.report.figures import Data

APPLICATION = ("application_id", "attempt")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "applications.csv": (
        *APPLICATION, "name", "spark_version", "started", "ended_told", "duration_s",
        "core_seconds", "tasks", "busy_fraction", "usd", "why", "provider", "region", "vm", "count",
        "driver_vm", "spot", "oldest_price", "energy_kwh",
    ),
    "money.csv": (*APPLICATION, "part", "usd"),
    "jobs.csv": (*APPLICATION, "job", "name", "usd", "task_s"),
    "stages.csv": (
        *APPLICATION, "stage", "stage_attempt", "name", "usd", "task_s", "tasks", "cpu_s", "gc_s",
        "fetch_wait_s", "deserialize_s", "spilled_bytes",
    ),
    "executors.csv": (
        *APPLICATION, "executor", "host", "cores", "start_s", "end_s", "usd", "task_s",
        "removed_reason",
    ),
}  # fmt: skip
REPORT_FILES: Recognisers = {
    "report.json": json_with("version", "applications"),
    "report.html": lambda content: b"<title>What the cluster cost</title>" in content,
    **{name: text_with(",".join(columns) + "\n") for name, columns in COLUMNS.items()},
}
"""The files of a report, and how each is known as r2d2's."""


def csv_texts(report: Data) -> dict[str, str]:
    """Each file's name and text, rows in the report's order."""
    applications = report["applications"]
    rows = {
        "applications.csv": map(_application, applications),
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
