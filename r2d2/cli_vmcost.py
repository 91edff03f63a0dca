"""`r2d2 vmcost`: what a cluster's VMs cost, from Spark event logs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from r2d2.console import print_json, print_lines
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE, UsageError
from r2d2.extras import require
from r2d2.text_tables import printable

if TYPE_CHECKING:
    from r2d2.progress import Progress

vmcost = App(name="vmcost")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Machines:
    """Flags for the machines; they go over the file, and both over what the log tells."""

    vm: Annotated[str | None, Parameter(help="VM type of the executors.")] = None
    driver_vm: Annotated[str | None, Parameter(help="VM type of the driver.")] = None
    count: Annotated[
        int | None, Parameter(help="Executors' VMs, if they stood for the whole run.")
    ] = None
    region: Annotated[str | None, Parameter(help="The provider's region.")] = None
    provider: Annotated[str | None, Parameter(help="aws, azure, gcp, or of --prices.")] = None
    spot: Annotated[bool | None, Parameter(help="Executors' VMs are spot.")] = None
    config: Annotated[
        Path | None, Parameter(help="vmcost.toml: machines, billing, what to advise on.")
    ] = None
    prices: Annotated[Path | None, Parameter(help="CSV of prices in place of r2d2's own list.")] = (
        None
    )


MACHINES = Machines()
Logs = Annotated[
    str, Parameter(help="Event logs: files, rolling folders, folders of many, s3://… and its like.")
]


@vmcost.default
def bill(
    *logs: Logs,
    machines: Machines = MACHINES,
    out: Annotated[
        Path | None, Parameter(help="Folder for report.json, report.html and CSV files.")
    ] = None,
    max_usd: Annotated[
        float | None, Parameter(help="Exit with 3 where all applications cost more.")
    ] = None,
    max_idle: Annotated[
        float | None, Parameter(help="Exit with 3 where a greater share of it was idle, as 0.4.")
    ] = None,
    json: Annotated[bool, Parameter(negative="", help="A list of applications to stdout.")] = False,
) -> int:
    """Tell what the applications of LOGS cost, and what for: by part, job, stage, executor.

    Where nobody names the machines and the log does not, those that would fit are listed.
    Exit codes: 1 no application in the logs, 3 over a limit, 4 some logs could not be read.

    For example:

    r2d2 vmcost eventlog.zstd --provider aws --region us-east-1 --vm m5.xlarge --driver-vm m5.large

    r2d2 vmcost /logs --config vmcost.toml --out report --max-usd 50
    """
    require("vmcost", "r2d2 vmcost")
    from r2d2.vmcost.report.budget import Budget
    from r2d2.vmcost.report.data import report_data
    from r2d2.vmcost.report.text import report_lines

    budget = Budget(max_usd, max_idle)
    answer = _answer(logs, machines)
    data = report_data(answer.costed, date.today(), answer.besides)
    if out is not None:
        _write(out, data)
    if json:
        print_json(data["applications"])
    else:
        print_lines(report_lines(data))
    left_out = _tell_left_out(answer.logs)
    broken = budget.broken(data["applications"])
    for sentence in broken:
        sys.stderr.write(f"r2d2: {sentence}\n")
    if not answer.costed:
        return EXIT_FAILED
    return EXIT_FOUND if broken else EXIT_SOME_UNREADABLE if left_out else EXIT_OK


@vmcost.command
def profile(
    *logs: Logs,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="File for the profile.")],
    report: Annotated[
        Path | None, Parameter(help="Folder for the report on the same logs, besides.")
    ] = None,
    machines: Machines = MACHINES,
    least_mb: Annotated[
        float, Parameter(help="Leave out reads and writes of fewer MB (10⁶ bytes).")
    ] = 16.0,
    read_usd_per_gb: Annotated[
        float | None, Parameter(help="What the storage charges for reading, if known.")
    ] = None,
    write_usd_per_gb: Annotated[
        float | None, Parameter(help="What the storage charges for writing, if known.")
    ] = None,
) -> int:
    """Measure seconds per GB and start-up in LOGS of r2d2's own runs, for `r2d2 plan --profile`.

    For example: r2d2 vmcost profile /logs --config vmcost.toml -o profile.json
    """
    from r2d2.files import json_text, write_files

    require("vmcost", "r2d2 vmcost profile")
    from r2d2.vmcost.pipeline import runs_of
    from r2d2.vmcost.profile import profile as profile_of
    from r2d2.vmcost.profile import profile_lines
    from r2d2.vmcost.report.data import report_data

    charges = {"read": read_usd_per_gb, "write": write_usd_per_gb}
    answer = _answer(logs, machines)
    left_out = _tell_left_out(answer.logs)
    made = profile_of(
        runs_of(answer.costed),
        float(_question(machines).settings.billing.start_up_s),
        int(least_mb * 1e6),
        {way: usd for way, usd in charges.items() if usd is not None},
    )
    write_files(out.parent, {out.name: json_text(made)})
    if report is not None:
        _write(report, report_data(answer.costed, date.today(), answer.besides))
    print_lines([*profile_lines(made), f"written to {out}"])
    return EXIT_SOME_UNREADABLE if left_out else EXIT_OK


@vmcost.command
def diff(old: Path, new: Path, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Tell what differs between two report.json: money by part, time, cores; and what explains it.

    For example: r2d2 vmcost diff last-week/report.json report/report.json
    """
    from r2d2.vmcost.report.diff import differences
    from r2d2.vmcost.report.diff_text import difference_lines

    reports = _load(old), _load(new)
    try:
        found = differences(*reports)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{old}, {new}: one lacks what a report has: {error!r}") from error
    if json:
        print_json(asdict(found))
    else:
        print_lines(difference_lines(found))
    return EXIT_OK


def _answer(logs: Sequence[str], machines: Machines) -> Any:
    from r2d2.fetch import fetched
    from r2d2.interrupt import interruptibly
    from r2d2.vmcost.pipeline import cost
    from r2d2.watch import watching

    if not logs:
        raise UsageError("give one or more event logs, or folders of them")
    question = _question(machines)

    def work(progress: "Progress") -> Any:
        with fetched(logs) as here:
            return cost(here.paths, question, progress).renamed(here.origin)

    with watching() as progress:
        return interruptibly(lambda: work(progress))


def _question(machines: Machines) -> Any:
    from r2d2.vmcost.facts import Stated
    from r2d2.vmcost.pipeline import Question
    from r2d2.vmcost.prices import load_prices
    from r2d2.vmcost.settings import load_vmcost_settings

    flags = Stated(
        machines.provider,
        machines.region,
        machines.vm,
        machines.count,
        machines.driver_vm,
        machines.spot,
    )
    settings = load_vmcost_settings(machines.config)
    return Question(load_prices(machines.prices), settings, flags)


def _write(out: Path, data: Mapping[str, Any]) -> None:
    from r2d2.files import json_text, write_files
    from r2d2.vmcost.report.csvs import csv_texts
    from r2d2.vmcost.report.html import page

    files = {"report.json": json_text(data), "report.html": page(data), **csv_texts(data)}
    write_files(out, files)


def _tell_left_out(logs: Any) -> bool:
    """Whether some logs gave no application; each is named on stderr."""
    for path, reason in (*logs.refused, *logs.repeated):
        sys.stderr.write(f"r2d2: {printable(path)}: {printable(reason)}\n")
    return bool(logs.refused)


def _load(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("version") != 1 or "applications" not in found:
        raise UsageError(f"{path}: not a report.json of `r2d2 vmcost --out`")
    return found
