"""`r2d2 vmcost`: the cost of a cluster's VMs, from Spark event logs on disk or in a bucket."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from r2d2.cli import Json, Output
from r2d2.cli.terminal import is_verbose, print_json, print_lines, print_problem, print_text
from r2d2.errors import (
    EXIT_FAILED,
    EXIT_FOUND,
    EXIT_OK,
    EXIT_SOME_UNREADABLE,
    R2D2Error,
    UsageError,
)
from r2d2.extras import require
from r2d2.text_tables import aligned

if TYPE_CHECKING:
    from r2d2.vmcost.events import EventLogs
    from r2d2.vmcost.pipeline import CostedLogs, CostRequest


vmcost = App(name="vmcost")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class MachineFlags:
    """Flags for the machines; they go over the file, and both over the log."""

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
    prices: Annotated[
        Path | None,
        Parameter(help="CSV of prices, or AWS's, Azure's or GCP's own export, in place of r2d2's."),
    ] = None


NO_FLAGS = MachineFlags()
IDLE = ("start_up", "idle_in_jobs", "idle_between_jobs", "stranded")
Logs = Annotated[
    str, Parameter(help="Event logs: files, rolling folders, folders of many, s3://… and its like.")
]


@vmcost.default
def bill(
    *logs: Logs,
    flags: MachineFlags = NO_FLAGS,
    out: Annotated[
        Path | None, Output, Parameter(help="Folder for report.json, report.html and CSV files.")
    ] = None,
    max_usd: Annotated[
        float | None, Parameter(help="Exit with 3 where all applications cost more.")
    ] = None,
    max_idle: Annotated[
        float | None, Parameter(help="Exit with 3 where a greater share of it was idle, as 0.4.")
    ] = None,
    json: Annotated[bool, Parameter(negative="", help="A list of applications to stdout.")] = False,
) -> int:
    """Divide the costs of the applications in LOGS by part, job, stage and executor.

    Where neither flags nor file nor log name the machines, those that would fit
    are listed. Exit codes: 1 no application in the logs, 3 over a limit, 4 some
    logs could not be read.

    For example:

    r2d2 vmcost eventlog.zstd --provider aws --region us-east-1 --vm m5.xlarge --driver-vm m5.large

    r2d2 vmcost /logs --config vmcost.toml --out report --max-usd 50
    """
    require("vmcost", "r2d2 vmcost")
    from r2d2.storage.output import prepare
    from r2d2.vmcost.report.data import report_data
    from r2d2.vmcost.report.figures import REPORT_FILES
    from r2d2.vmcost.report.text import report_lines

    budget = Budget(max_usd, max_idle)
    if out is not None:
        prepare(out, REPORT_FILES)
    costed = _costed(logs, flags)
    data = report_data(costed.costed, date.today(), costed.besides)
    if out is not None:
        _write(out, data)
    if json:
        print_json(data["applications"])
    else:
        print_lines(report_lines(data, files=out is not None, verbose=is_verbose()))
    left_out = _name_left_out(costed.logs)
    broken = budget.broken(data["applications"])
    for sentence in broken:
        print_problem(sentence)
    if not costed.costed:
        return EXIT_FAILED
    return EXIT_FOUND if broken else EXIT_SOME_UNREADABLE if left_out else EXIT_OK


@vmcost.command
def profile(
    *logs: Logs,
    out: Annotated[
        Path | None, Output, Parameter(name=["--out", "-o"], help="File for the profile; needed.")
    ] = None,
    report: Annotated[
        Path | None, Output, Parameter(help="Folder for the report on the same logs, besides.")
    ] = None,
    flags: MachineFlags = NO_FLAGS,
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
    require("vmcost", "r2d2 vmcost profile")
    from r2d2.storage.output import json_text, json_with, prepare, prepare_file, write_files
    from r2d2.vmcost.pipeline import runs_of
    from r2d2.vmcost.profile import profile as profile_of
    from r2d2.vmcost.profile import profile_lines
    from r2d2.vmcost.report.data import report_data
    from r2d2.vmcost.report.figures import REPORT_FILES

    if out is None:
        raise UsageError("give --out, the file to write the profile to, such as profile.json")
    is_profile = json_with("profile", "clusters")
    prepare_file(out, is_profile, "profile of r2d2's")
    if report is not None:
        prepare(report, REPORT_FILES)
    charges = {"read": read_usd_per_gb, "write": write_usd_per_gb}
    costed = _costed(logs, flags)
    left_out = _name_left_out(costed.logs)
    request = _request(flags)
    made = profile_of(
        runs_of(costed.costed, request),
        float(request.settings.billing.start_up_s),
        int(least_mb * 1e6),
        {way: usd for way, usd in charges.items() if usd is not None},
    )
    write_files(out.parent, {out.name: json_text(made)}, files={out.name: is_profile})
    if report is not None:
        _write(report, report_data(costed.costed, date.today(), costed.besides))
    print_lines([*profile_lines(made), f"written to {out}"])
    return EXIT_SOME_UNREADABLE if left_out else EXIT_OK


@vmcost.command
def diff(
    old: Annotated[Path, Parameter(help="The report.json before, or its folder.")],
    new: Annotated[Path, Parameter(help="The one after.")],
    /,
    *,
    json: Json = False,
) -> int:
    """Compare two report.json: money by part, time, cores; the largest change first.

    Each is the file, or the folder of `r2d2 vmcost --out`.

    For example: r2d2 vmcost diff last-week/report.json report/report.json
    """
    from r2d2.vmcost.report.diff import difference_lines, differences

    old, new = (path / "report.json" if path.is_dir() else path for path in (old, new))
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


@vmcost.command
def prices(
    *words: Annotated[
        str, Parameter(help="Of each row: parts of its provider, region, SKU, kind or source.")
    ],
    of: Annotated[
        Path | None, Parameter(name="--prices", help="CSV of prices, or a provider's own export.")
    ] = None,
    coverage: Annotated[
        bool, Parameter(negative="", help="By family: sizes and regions that have a price.")
    ] = False,
    csv: Annotated[bool, Parameter(negative="", help="The rows as a file for --prices.")] = False,
) -> int:
    """List the prices whose rows have all WORDS, with their source, date and age.

    For example:

    r2d2 vmcost prices aws us-east-1 m5.

    r2d2 vmcost prices --coverage gcp
    """
    from r2d2.vmcost.prices import age_days, load_prices, matching, prices_csv
    from r2d2.vmcost.prices import coverage as coverage_of
    from r2d2.vmcost.prices.coverage import named_lines

    rows = matching(load_prices(of), words)
    if not rows:
        raise R2D2Error(
            f"no row has all of {' '.join(words)!r}; give fewer words, or --prices FILE"
        )
    if csv:
        print_text(prices_csv(rows))
        return EXIT_OK
    heads = ("provider", "region", "SKU", "vCPU", "GiB", "USD", "kind", "as of", "days", "source")
    lines: list[tuple[str, ...]] = [heads]
    lines += [
        (
            row.provider,
            row.region,
            row.sku,
            str(row.vcpu or ""),
            f"{row.mem_mib / 1024:g}" if row.mem_mib else "",
            f"{float(row.usd_per_hour):g}",
            row.kind.value,
            row.as_of.isoformat(),
            f"{age_days(row, date.today()):,}",
            f"{row.source} {row.source_version}",
        )
        for row in rows
    ]
    covered = coverage_of(rows, words)
    if coverage:
        lines = [("provider", "family", "kind", "sizes", "regions", "priced", "share", "oldest")]
        lines += [
            (
                each.provider,
                each.family,
                each.kind.value,
                str(each.sizes),
                str(each.regions),
                str(each.priced),
                f"{each.share:.0%}",
                each.as_of.isoformat() if each.as_of else "",
            )
            for each in covered
        ]
    print_lines([*aligned(lines), *(named_lines(covered) if coverage else ())])
    return EXIT_OK


def _costed(logs: Sequence[str], flags: MachineFlags) -> "CostedLogs":
    from r2d2.cli.terminal import watching
    from r2d2.vmcost.events import fetched
    from r2d2.vmcost.pipeline import cost

    if not logs:
        raise UsageError("give one or more event logs, or folders of them")
    request = _request(flags)

    with watching() as progress, fetched(logs) as copies:
        return cost(copies.paths, request, progress).renamed(copies.origin)


def _request(flags: MachineFlags) -> "CostRequest":
    from r2d2.vmcost.machines import ClusterFacts
    from r2d2.vmcost.pipeline import CostRequest
    from r2d2.vmcost.prices import load_prices
    from r2d2.vmcost.settings import load_vmcost_settings

    stated = ClusterFacts(
        flags.provider, flags.region, flags.vm, flags.count, flags.driver_vm, flags.spot
    )
    settings = load_vmcost_settings(flags.config)
    return CostRequest(load_prices(flags.prices), settings, stated)


def _write(out: Path, data: Mapping[str, Any]) -> None:
    from r2d2.storage.output import json_text, write_files
    from r2d2.vmcost.report.figures import REPORT_FILES, csv_texts
    from r2d2.vmcost.report.html import page

    files = {"report.json": json_text(data), "report.html": page(data), **csv_texts(data)}
    write_files(out, files, files=REPORT_FILES)


def _name_left_out(logs: "EventLogs") -> bool:
    """Names the logs without an application on stderr; True where there are any."""
    for path, reason in (*logs.refused, *logs.repeated):
        print_problem(f"{path}: {reason}")
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


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits `--max-usd` and `--max-idle` on the money of all applications and its idle share.

    Idle is rented time without a task: start-up, idle cores, stranded cores, of the money of all
    VMs. Where no money is known it is the share of core-seconds without a task.

    Raises:
        UsageError: a limit is negative, or the share above 1.
    """

    max_usd: float | None = None
    max_idle: float | None = None

    def __post_init__(self) -> None:
        if self.max_usd is not None and not self.max_usd >= 0:
            raise UsageError(f"--max-usd {self.max_usd}: give 0 or more")
        if self.max_idle is not None and not 0 <= self.max_idle <= 1:
            raise UsageError(f"--max-idle {self.max_idle}: give a share from 0 to 1")

    def broken(self, applications: Sequence[Mapping[str, Any]]) -> list[str]:
        """A sentence for each limit that is not kept.

        Raises:
            UsageError: the money is limited, and that of an application is not known.
        """
        sentences = []
        if self.max_usd is not None:
            usd = sum(_usd(application) for application in applications)
            if usd > self.max_usd:
                sentences.append(f"--max-usd {self.max_usd:g}: the applications cost ${usd:.6f}")
        if self.max_idle is not None:
            share = _idle_share(applications)
            if share is not None and share > self.max_idle:
                sentences.append(f"--max-idle {self.max_idle:g}: {share:.3f} was idle")
        return sentences


def _idle_share(applications: Sequence[Mapping[str, Any]]) -> float | None:
    """The share that was idle, of money where all is priced, else of core-seconds."""
    if applications and all(application["money"] for application in applications):
        whole = sum(application["usd"] for application in applications)
        idle = sum(application["money"][part] for application in applications for part in IDLE)
    else:
        whole = sum(application["core_seconds"] for application in applications)
        idle = whole - sum(
            application["core_seconds"] * (application["busy_fraction"] or 0)
            for application in applications
        )
    return idle / whole if whole else None


def _usd(application: Mapping[str, Any]) -> float:
    usd = application["usd"]
    if usd is None:
        reason = f"{application['application_id']}: {application['why']}"
        raise UsageError(f"--max-usd cannot be judged: {reason}")
    return float(usd)
