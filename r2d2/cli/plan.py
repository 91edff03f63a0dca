"""`r2d2 plan`: chooses the tables to delete, and tells how two plans differ; and `r2d2 init`."""

from dataclasses import asdict, replace
from os.path import lexists
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from r2d2.cli import Json, Output
from r2d2.cli.terminal import print_json, print_lines, print_problem
from r2d2.errors import EXIT_FOUND, EXIT_OK, UsageError
from r2d2.extras import require


def plan(
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
        bool, Parameter(negative="", help="From what the last plan learnt: reads no data.")
    ] = False,
    max_latency: Annotated[
        float | None, Parameter(help="What-if: seconds that any reader may wait.")
    ] = None,
    protect: Annotated[
        tuple[str, ...], Parameter(negative="", help="What-if: pattern of tables that stay.")
    ] = (),
    prices: Annotated[
        Path | None, Parameter(help="What-if: TOML file with a [prices] section of its own.")
    ] = None,
    diff: Annotated[
        tuple[Path, Path] | None,
        Parameter(help="Instead: OLD NEW, show what differs between two plan files."),
    ] = None,
    explain: Annotated[str | None, Parameter(help="Explain the decision for one table.")] = None,
    engine: Annotated[
        Literal["local", "spark"], Parameter(help="Engine that reads and runs.")
    ] = "local",
    master: Annotated[str | None, Parameter(help="Spark master or sc://host:port.")] = None,
    threads: Annotated[
        int | None, Parameter(help="Processes of the local engine that look for recipes.")
    ] = None,
    fail_on: Annotated[
        str | None, Parameter(help="savings=USD: exit with 3 where a month saves as much.")
    ] = None,
    json: Json = False,
) -> int:
    """Choose which tables to delete so that each can be rebuilt in time, at the least cost.

    Deletes nothing. Every recipe in the plan was run and its result compared value by value.
    What-if keeps the settings and usage of RUN/plan.json, unless --config or --usage is given.

    For example:

    r2d2 plan --run run --out plan.json

    r2d2 plan --run run --max-latency 60 --protect 'finance/*'

    r2d2 plan --run run --what-if --explain exports/airlines.csv

    r2d2 plan --diff last-week.json plan.json
    """
    from r2d2.cli.plan_text import plan_lines, table_lines
    from r2d2.cli.terminal import watching
    from r2d2.plan import make_plan
    from r2d2.plan import what_if as plan_from_learnt
    from r2d2.plan.plan_file import PLAN_NAME, is_plan
    from r2d2.plan.profile import load_profile, with_profile
    from r2d2.plan.usage import load_usage, usages_of_plan
    from r2d2.settings.plan import load_plan_settings, load_prices, plan_settings_of
    from r2d2.storage.output import json_text, prepare_file, write_files
    from r2d2.text_tables import usd

    if diff is not None:
        return _print_diff(*diff, json=json)
    require("plan", "r2d2 plan")
    if run is None:
        raise UsageError("give --run, the folder that `r2d2 find --out` wrote")
    if out is not None:
        prepare_file(out, is_plan, "plan of r2d2's")
    least_usd = _least_savings(fail_on)
    varied = what_if or max_latency is not None or bool(protect) or prices is not None
    before = _plan_before(run) if varied and (config is None or usage is None) else None
    if before is None or config is not None:
        settings = load_plan_settings(config)
    else:
        settings = plan_settings_of(before["settings"])
    if profile is not None:
        settings = with_profile(settings, load_profile(profile))
    if usage is not None:
        usages = load_usage(usage)
    else:
        usages = () if before is None else usages_of_plan(before)
    if prices is not None:
        settings = replace(settings, prices=load_prices(prices))
    if varied:
        made = plan_from_learnt(run, settings, usages, max_latency_s=max_latency, protect=protect)
    else:
        with watching() as progress:
            made = make_plan(
                *(run, settings, usages),
                engine=engine,
                master=master,
                threads=threads,
                progress=progress,
            )
    if out is not None and out.resolve() != (run / PLAN_NAME).resolve():
        write_files(out.parent, {out.name: json_text(made)}, files={out.name: is_plan})
    if json:
        print_json(made)
    elif explain is not None:
        lines = list(table_lines(made, explain))
        if not lines:
            raise UsageError(f"the plan has no table {explain!r}")
        print_lines(lines)
    else:
        print_lines(plan_lines(made))
    saved_usd = made["totals"]["saving_usd_per_month"]
    if least_usd is not None and saved_usd >= least_usd:
        print_problem(f"--fail-on found savings of {usd(saved_usd)} a month")
        return EXIT_FOUND
    return EXIT_OK


def init(path: Annotated[Path, Output] = Path("r2d2.toml"), /) -> int:
    """Write a commented TOML file of all settings a plan has, at their defaults.

    For example: r2d2 init r2d2.toml
    """
    from r2d2.settings.template import INIT_TOML
    from r2d2.storage.output import write_files

    if lexists(path):
        raise UsageError(f"{path}: it exists already and is left as it is")
    write_files(path.parent, {path.name: INIT_TOML}, marked=False)
    print_lines([f"written to {path}"])
    return EXIT_OK


def _plan_before(run: Path) -> dict[str, Any]:
    from r2d2.plan.plan_file import PLAN_NAME, load_plan

    if not (run / PLAN_NAME).is_file():
        remedy = "run `r2d2 plan` once without what-if flags"
        raise UsageError(f"{run / PLAN_NAME}: there is no plan to vary; {remedy}")
    return load_plan(run / PLAN_NAME)


def _least_savings(fail_on: str | None) -> float | None:
    if fail_on is None:
        return None
    name, _, amount = fail_on.partition("=")
    try:
        if name == "savings":
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
