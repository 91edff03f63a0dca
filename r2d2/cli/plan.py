"""`r2d2 plan`: chooses the tables to delete, and tells how two plans differ; and `r2d2 init`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from r2d2.cli import Json, Output, TableOfRun
from r2d2.cli.lists import show
from r2d2.cli.report import Report, page_written, prepare_page, write_run
from r2d2.cli.terminal import (
    is_verbose,
    print_json,
    print_lines,
    print_problem,
    print_text,
    print_warning,
)
from r2d2.errors import EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE, UsageError
from r2d2.extras import require
from r2d2.text_tables import did_you_mean, pluralize, shell_word, visible

if TYPE_CHECKING:
    from r2d2.plan.usage import Usage
    from r2d2.settings.plan import PlanSettings


plan = App(name="plan", usage="Usage: r2d2 plan --run RUN [OPTIONS], or r2d2 plan show PLAN")
plan.command(show)


@plan.default
def make(
    *,
    run: Annotated[Path | None, Parameter(help="Folder that `r2d2 find --out` wrote.")] = None,
    out: Annotated[
        Path | None,
        Output,
        Parameter(help="File for the plan, as canonical JSON, beside RUN/plan.json."),
    ] = None,
    config: Annotated[
        Path | None, Parameter(help="TOML file of prices, limits, …; see `r2d2 init`.")
    ] = None,
    usage: Annotated[
        Path | None,
        Parameter(help="CSV of who reads what; jobs/usage_exports.md has queries for it."),
    ] = None,
    profile: Annotated[
        Path | None, Parameter(help="profile.json of measured rates, in place of assumed ones.")
    ] = None,
    what_if: Annotated[
        bool,
        Parameter(
            negative="",
            help="Plan with what the last plan found out: reads no data, writes no plan.",
        ),
    ] = False,
    max_latency: Annotated[
        float | None, Parameter(help="What-if: seconds that any reader may wait at most.")
    ] = None,
    protect: Annotated[
        tuple[str, ...],
        TableOfRun,
        Parameter(negative="", help="What-if: a location, folder or pattern of tables that stay."),
    ] = (),
    prices: Annotated[
        Path | None, Parameter(help="What-if: TOML file with a [prices] section of its own.")
    ] = None,
    diff: Annotated[
        tuple[Path, Path] | None,
        Parameter(
            negative="", help="Make no plan: show what differs between two plan files, OLD NEW."
        ),
    ] = None,
    explain: Annotated[
        str | None,
        TableOfRun,
        Parameter(
            help="Explain the decision for one table; without other flags, that of RUN/plan.json."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "spark"], Parameter(help="Engine that reads and runs.")
    ] = "local",
    master: Annotated[str | None, Parameter(help="Spark master or sc://host:port.")] = None,
    threads: Annotated[
        int | None, Parameter(help="Processes of the local engine that look for recipes.")
    ] = None,
    memory_bytes: Annotated[
        int | None,
        Parameter(help="Their memory for rows; more is read in passes."),
    ] = None,
    fail_on: Annotated[
        str | None,
        Parameter(help="savings=USD: exit with 3 if the plan saves as much a month, or more."),
    ] = None,
    report: Report = None,
    json: Json = False,
) -> int:
    """Choose which tables to delete so that each can be rebuilt in time, at the least cost.

    Deletes nothing. Every recipe in the plan was run and its result compared value
    by value. Settings and usage are those of RUN/plan.json, if there is one,
    unless --config or --usage is given. A plan that is replaced is kept in
    RUN/earlier, with its recipes.

    Exit codes: 3 as --fail-on says, 4 a table of the lake could not be read; the
    plan keeps it.

    For example:

    r2d2 plan --run run --out plan.json

    r2d2 plan --run run --max-latency 60 --protect 'finance/*'

    r2d2 plan --run run --explain exports/airlines.csv

    r2d2 plan --diff last-week.json plan.json
    """
    from r2d2.cli.plan_text import compared_line, plan_lines, table_lines
    from r2d2.cli.terminal import watching
    from r2d2.plan import make_plan
    from r2d2.plan import what_if as plan_from_learnt
    from r2d2.plan.graph_file import NOT_JUDGED, PLAN_NAME
    from r2d2.plan.plan_file import is_plan
    from r2d2.storage.output import json_text, prepare_file, write_files
    from r2d2.text_tables import usd

    if diff is not None:
        given = {
            **{"--run": run, "--out": out, "--config": config, "--usage": usage},
            **{"--profile": profile, "--what-if": what_if, "--max-latency": max_latency},
            **{"--protect": protect, "--prices": prices, "--explain": explain},
            **{"--threads": threads, "--memory-bytes": memory_bytes, "--master": master},
            **{"--fail-on": fail_on, "--report": report},
        }
        _alone("--diff compares two plan files and does nothing else", given)
        return _print_diff(*diff, json=json)
    require("plan", "r2d2 plan")
    if run is None:
        raise UsageError("give --run, the folder that `r2d2 find --out` wrote")
    least_usd = _least_savings(fail_on)
    varied = what_if or max_latency is not None or bool(protect) or prices is not None
    if out is not None:
        prepare_file(out, is_plan, "plan of r2d2's")
        if varied and out.resolve() == (run / PLAN_NAME).resolve():
            raise UsageError(f"{out}: is the plan whose recipes were run; give another name")
    prepare_page(report)
    files = PlanInputs(config, usage, profile, prices)
    asked_only = (
        files == PlanInputs() and not varied and (out, master, threads, memory_bytes) == (None,) * 4
    )
    if explain is not None and asked_only and engine == "local":
        made = _plan_there(run, "explain")
    elif varied:
        before = _plan_there(run, "vary") if config is None or usage is None else None
        settings, usages = files.read(before)
        made = plan_from_learnt(run, settings, usages, max_latency_s=max_latency, protect=protect)
    else:
        before = _plan_to_replace(run)
        settings, usages = files.read(before)
        if master and engine == "local":
            print_warning("--master has no effect without --engine spark")
        with watching() as progress:
            made = make_plan(
                *(run, settings, usages),
                engine=engine,
                master=master,
                threads=threads,
                memory_bytes=memory_bytes,
                progress=progress,
            )
        for note in _replaced(run, before, made, files):
            print_problem(note)
    if out is not None and out.resolve() != (run / PLAN_NAME).resolve():
        write_files(out.parent, {out.name: json_text(made)}, files={out.name: is_plan})
    if report is not None:
        write_run(report, run, made)
    if json:
        print_json(made)
    elif explain is not None:
        lines = list(table_lines(made, explain))
        if not lines:
            raise _no_table(explain, [table["table"] for table in made["tables"]])
        print_lines([*lines, *([page_written(report)] if report else ())])
    else:
        place = str(out or ("" if varied else run))
        written = list(_written(run, out, report, varied=varied))
        if varied and before is not None:
            compared = compared_line(before, made, str(run / PLAN_NAME))
            print_lines([f"what-if {compared}", ""])
        print_lines(plan_lines(made, place, written, verbose=is_verbose()))
    for sentence in _rules_unknown(config, run, made):
        print_warning(sentence)
    saved_usd = made["totals"]["saving_usd_per_month"]
    if least_usd is not None and saved_usd >= least_usd:
        print_problem(f"--fail-on found savings of {usd(saved_usd)} a month")
        return EXIT_FOUND
    unread = any((table["must_keep"] or "").startswith(NOT_JUDGED) for table in made["tables"])
    return EXIT_SOME_UNREADABLE if unread else EXIT_OK


def init(
    path: Annotated[
        Path, Output, Parameter(help="The file to write; the word vmcost is ./vmcost.toml.")
    ] = Path("r2d2.toml"),
    /,
    *,
    print_: Annotated[
        bool, Parameter(name="--print", negative="", help="Print it, and write no file.")
    ] = False,
) -> int:
    """Write a commented TOML file of all settings of all commands, at their defaults.

    Each command reads its own sections of it, under --config. `r2d2 init vmcost`
    writes those of r2d2 vmcost alone, into vmcost.toml.

    For example: r2d2 init r2d2.toml
    """
    from r2d2.settings import INIT_TOML, VMCOST_TOML
    from r2d2.storage.output import write_files

    text = INIT_TOML
    if path == Path("vmcost"):
        path, text = Path("vmcost.toml"), VMCOST_TOML
    if print_:
        print_text(text)
        return EXIT_OK
    if lexists(path):
        raise UsageError(f"{path}: it exists already and is left as it is")
    write_files(path.parent, {path.name: text}, marked=False)
    print_lines([f"written to {path}"])
    return EXIT_OK


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """The files that flags name. What none names is as in the plan before, where there is one."""

    config: Path | None = None
    usage: Path | None = None
    profile: Path | None = None
    prices: Path | None = None

    def read(self, before: Mapping[str, Any] | None) -> "tuple[PlanSettings, Sequence[Usage]]":
        """The settings and the usage of a plan."""
        from r2d2.plan.usage import load_usage, usages_of_plan
        from r2d2.settings.plan import load_plan_settings, load_prices, plan_settings_of
        from r2d2.settings.profile import load_profile, with_profile

        if before is None or self.config is not None:
            settings = load_plan_settings(self.config)
        else:
            settings = plan_settings_of(before["settings"])
        if self.profile is not None:
            settings = with_profile(settings, load_profile(self.profile))
        if self.prices is not None:
            settings = replace(settings, prices=load_prices(self.prices))
        if self.usage is not None:
            return settings, load_usage(self.usage)
        return settings, () if before is None else usages_of_plan(before)


def _plan_there(run: Path, purpose: str) -> dict[str, Any]:
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    if not (run / PLAN_NAME).is_file():
        remedy = f"run `r2d2 plan --run {run}` first, without this flag"
        raise UsageError(f"{run / PLAN_NAME}: there is no plan to {purpose}; {remedy}")
    return load_plan(run / PLAN_NAME)


def _plan_to_replace(run: Path) -> dict[str, Any] | None:
    """The plan in the run's folder; None where there is none, or none of this version."""
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    if not (run / PLAN_NAME).is_file():
        return None
    try:
        return load_plan(run / PLAN_NAME)
    except UsageError as error:
        print_warning(f"{error}; its settings and usage are not kept")
        return None


def _replaced(
    run: Path, before: Mapping[str, Any] | None, made: Mapping[str, Any], files: PlanInputs
) -> Iterator[str]:
    """Sentences on the plan that another took the place of, or on one of an earlier graph."""
    from r2d2.plan.graph_file import PLAN_NAME, earlier_runs
    from r2d2.plan.plan_file import load_plan
    from r2d2.settings.plan import PlanSettings

    earlier = earlier_runs(run)
    if before is None:
        with suppress(UsageError):
            there = load_plan(earlier[0] / PLAN_NAME) if earlier else made
            if files.config is None and there["settings"] != made["settings"]:
                yield f"default settings; those of {earlier[0] / PLAN_NAME} were others: --config"
        return
    settings, usages = PlanInputs().read(before)
    if files.config is None and settings != PlanSettings():
        yield "settings are those of the plan before: --config gives others"
    if files.usage is None and usages:
        yield "usage is that of the plan before: --usage gives another"
    if made == before:
        yield "the plan is the same as before: its file stays as it is, and an approval of it holds"
        return
    last = earlier[0]
    yield f"the plan before is kept, with its recipes: {last / PLAN_NAME}"
    known = {table["table"] for table in made["tables"]}
    deleted = [t["table"] for t in before["tables"] if t["choice"] == "delete"]
    gone = [name for name in deleted if name not in known]
    if gone:
        tables = pluralize(len(gone), "table")
        yield f"it has the recipes of {tables} that are gone, such as {gone[0]}: --run {last}"


def _rules_unknown(config: Path | None, run: Path, made: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each `[[table]]` and `[[text]]` of the file that `find` did not have."""
    from r2d2.plan.graph_file import find_settings
    from r2d2.settings.find import load_settings

    if config is None:
        return
    with suppress(UsageError):  # sections of `find` are its own to complain of
        stated, found_with = load_settings(config), find_settings(made["find"])
        unknown = [rule.written for rule in stated.tables if rule not in found_with.tables]
        unknown += [rule.written for rule in stated.text if rule not in found_with.text]
        remedy = f"run `r2d2 find {made['lake']} --config {config} --out {run}` again"
        for written in unknown:
            yield f"{config}: {written}: `find` ran without this rule; {remedy}"


def _no_table(name: str, tables: Sequence[str]) -> UsageError:
    """The error for a table that the plan has not: a folder, or a name like another."""
    from r2d2.settings import is_among

    if any(is_among(table, name) for table in tables):
        remedy = f"`r2d2 plan show RUN --table {shell_word(name)}` lists its tables"
        return UsageError(f"{name!r} is a folder of the lake: {remedy}")
    return UsageError(f"the plan has no table {name!r}{did_you_mean(name, tables)}")


def _written(run: Path, out: Path | None, report: Path | None, *, varied: bool) -> Iterator[str]:
    """The lines that say where the plan and its page are."""
    from r2d2.plan.graph_file import PLAN_NAME

    places = [] if varied else [run / PLAN_NAME]
    if out is not None and out.resolve() != (run / PLAN_NAME).resolve():
        places.append(out)
    if places:
        yield f"written to {' and '.join(visible(str(place)) for place in places)}"
    else:
        yield "what-if: no plan was written; --out FILE writes it"
    if report is not None:
        yield page_written(report)


def _alone(told: str, given: Mapping[str, object]) -> None:
    """Passes where none of these flags is given.

    Raises:
        UsageError: one is; it would have no effect.
    """
    without = [flag for flag, value in given.items() if value not in (None, False, ())]
    if without:
        raise UsageError(f"{told}: leave out {', '.join(without)}")


def _least_savings(fail_on: str | None) -> float | None:
    if fail_on is None:
        return None
    name, _, amount = fail_on.partition("=")
    try:
        if name == "savings" and abs(float(amount)) < float("inf"):
            return float(amount)
    except ValueError:
        pass
    raise UsageError(f"--fail-on {fail_on}: give savings=USD, such as savings=100")


def _print_diff(old: Path, new: Path, *, json: bool) -> int:
    from r2d2.cli.plan_text import diff_lines
    from r2d2.plan.diff import differences
    from r2d2.plan.plan_file import load_plan

    changes = differences(load_plan(old), load_plan(new))
    if json:
        print_json([asdict(difference) for difference in changes])
    else:
        print_lines(diff_lines(changes))
    return EXIT_OK
