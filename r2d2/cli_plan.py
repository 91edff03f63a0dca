"""`r2d2 plan`, `check`, `recipe`, `init`: what can be deleted, and how it comes back."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from r2d2.console import print_lines, print_text
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, UsageError
from r2d2.files import json_text, write_files
from r2d2.interrupt import interruptibly

Run = Annotated[Path, Parameter(help="Folder that `r2d2 find --out` wrote.")]
Json = Annotated[bool, Parameter(negative="", help="Write JSON to stdout instead of text.")]


def plan(
    *,
    run: Run,
    out: Annotated[Path | None, Parameter(help="File for the plan, as canonical JSON.")] = None,
    config: Annotated[
        Path | None, Parameter(help="TOML file of prices, limits, …; see `r2d2 init`.")
    ] = None,
    usage: Annotated[
        Path | None, Parameter(help="CSV: table, reads_per_month, last_read, consumers.")
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
    explain: Annotated[str | None, Parameter(help="Tell of one table only.")] = None,
    engine: Annotated[Literal["local", "spark"], Parameter(help="Who reads and runs.")] = "local",
    master: Annotated[str | None, Parameter(help="Spark master or sc://host:port.")] = None,
    fail_on: Annotated[
        str | None, Parameter(help="savings=USD: exit with 3 where a month saves as much.")
    ] = None,
    json: Json = False,
) -> int:
    """Choose which tables to delete so that each can be rebuilt in time, at the least cost.

    Deletes nothing. Every recipe in the plan was run and its result compared value by value.

    Examples:

    r2d2 plan --run run --out plan.json

    r2d2 plan --run run --max-latency 60 --protect 'finance/*'

    r2d2 plan --run run --what-if --explain exports/airlines.csv
    """
    from r2d2.costs import load_plan_settings, load_profile, load_usage, with_profile
    from r2d2.plan import making
    from r2d2.report import plan_text

    least_usd = _least_savings(fail_on)
    settings = load_plan_settings(config)
    if profile is not None:
        settings = with_profile(settings, load_profile(profile))
    usages = load_usage(usage) if usage is not None else ()
    if what_if or max_latency is not None or protect:
        made = making.what_if(run, settings, usages, max_latency_s=max_latency, protect=protect)
    else:
        made = interruptibly(
            lambda: making.make_plan(run, settings, usages, engine=engine, master=master)
        )
    if out is not None:
        write_files(out.parent, {out.name: json_text(made)})
    if json:
        print_text(json_text(made))
    elif explain is not None:
        lines = list(plan_text.table_lines(made, explain))
        if not lines:
            raise UsageError(f"the plan has no table {explain!r}")
        print_lines(lines)
    else:
        print_lines(plan_text.plan_lines(made))
    saved_usd = made["totals"]["saving_usd_per_month"]
    if least_usd is not None and saved_usd >= least_usd:
        sys.stderr.write(f"r2d2: --fail-on found savings of {plan_text.usd(saved_usd)} a month\n")
        return EXIT_FOUND
    return EXIT_OK


def check(plan: Path, /, *, json: Json = False) -> int:
    """Refuse PLAN if it breaks a rule: a table that rests on a deleted one, a changed file, ….

    Example: r2d2 check plan.json
    """
    from r2d2.plan.checking import check_plan
    from r2d2.plan.plan_file import load_plan

    broken = check_plan(load_plan(plan))
    if json:
        print_text(json_text([{"rule": rule, "told": told} for rule, told in broken]))
    else:
        print_lines([f"{rule}: {told}" for rule, told in broken] or ["the plan holds"])
    return EXIT_FAILED if broken else EXIT_OK


def init(path: Path = Path("r2d2.toml"), /) -> int:
    """Write a commented TOML file of all settings a plan has, at their defaults.

    Example: r2d2 init r2d2.toml
    """
    from r2d2.costs import init_text

    if path.exists():
        raise UsageError(f"{path}: there is one already; it is left as it is")
    write_files(path.parent, {path.name: init_text()})
    print_lines([f"written to {path}"])
    return EXIT_OK


recipe = App(name="recipe", help="Show or run the recipe of a deleted table.")


@recipe.command
def show(
    table: str,
    /,
    *,
    plan: Annotated[Path, Parameter(help="The plan file.")],
    dialect: Annotated[
        str | None, Parameter(help="As SQL: spark, databricks, trino, bigquery, snowflake, duckdb.")
    ] = None,
) -> int:
    """Print the recipe of TABLE as JSON, or as one SQL view.

    Example: r2d2 recipe show archive/flights.parquet --plan plan.json --dialect spark
    """
    from r2d2.recipes.grammar import parents, residuals
    from r2d2.recipes.grammar_json import from_data
    from r2d2.recipes.sql import Dialect, view

    entry = _entry(plan, table)
    if dialect is None:
        print_text(json.dumps(entry["recipe"], indent=2, ensure_ascii=False) + "\n")
        return EXIT_OK
    known = [found.value for found in Dialect]
    if dialect not in known:
        raise UsageError(f"--dialect {dialect}: known are {', '.join(known)}")
    made = from_data(entry["recipe"])
    places = [*parents(made), *(file.location for file in residuals(made))]
    names = {place: _name(place) for place in places}
    print_text(view(_name(table), made, names, Dialect(dialect)) + "\n")
    return EXIT_OK


@recipe.command(name="run")
def run_recipe(
    *tables: str,
    run: Run,
    plan: Annotated[Path, Parameter(help="The plan file.")],
    to: Annotated[Path, Parameter(help="Folder to write below; nothing is overwritten.")],
) -> int:
    """Rebuild TABLES from their parents alone, in their own format, and check their rows.

    Without names, all that the plan deletes. The lake's own files are not touched.
    Example: r2d2 recipe run archive/flights.parquet --run run --plan plan.json --to /restored
    """
    from r2d2.plan.plan_file import load_plan
    from r2d2.plan.rerun import rebuild
    from r2d2.report.text import human_bytes, printable

    made = load_plan(plan)
    names = tables or [t["table"] for t in made["tables"] if t["choice"] == "delete"]
    for found in rebuild(made, run, names, to):
        size = human_bytes(found.size_bytes)
        print_lines(
            [f"{printable(found.table)}: {found.rows:,} rows, {size}, {found.seconds:.2f} s"]
        )
    return EXIT_OK


def _entry(plan: Path, table: str) -> dict[str, Any]:
    from r2d2.plan.plan_file import load_plan

    for entry in load_plan(plan)["tables"]:
        if entry["table"] == table and entry["choice"] == "delete":
            return dict(entry)
    raise UsageError(f"{plan} deletes no table {table!r}")


def _name(location: str) -> tuple[str, ...]:
    """A table's name in a catalog: the folder and the file's stem."""
    parts = location.split("/")
    return (*parts[-2:-1], parts[-1].partition(".")[0])


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


def add_to(app: App) -> None:
    """Adds the commands of a plan to the command line."""
    for command in (plan, check, init):
        app.command(command)
    app.command(recipe)
