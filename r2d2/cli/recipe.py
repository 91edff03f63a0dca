"""`r2d2 recipe`: shows or runs the recipe that gives a deleted table rebuilt."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from r2d2.cli import Output, TableOfRun
from r2d2.cli.terminal import json_for_terminal, print_lines, print_text
from r2d2.errors import EXIT_FAILED, EXIT_OK, UsageError
from r2d2.extras import require
from r2d2.text_tables import human_bytes, pluralize, printable, visible

Run = Annotated[Path, Parameter(help="Folder of `r2d2 find --out` and `r2d2 plan`.")]
PlanFile = Annotated[Path | None, Parameter(help="The plan file, if not RUN/plan.json.")]

recipe = App(
    name="recipe",
    help=(
        "Show or run the recipe of a deleted table.\n\n"
        "`r2d2 plan show RUN --choice delete` lists the tables that have one."
    ),
)


@recipe.command
def show(
    table: Annotated[str, TableOfRun, Parameter(help="A table that the plan deletes.")],
    /,
    *,
    run: Annotated[
        Path | None, Parameter(help="Folder of `r2d2 find --out` and `r2d2 plan`.")
    ] = None,
    plan: PlanFile = None,
    dialect: Annotated[
        str | None, Parameter(help="As SQL: spark, databricks, trino, bigquery, snowflake, duckdb.")
    ] = None,
    config: Annotated[
        Path | None, Parameter(help="TOML file with [[sql_name]]: what tables are called in SQL.")
    ] = None,
) -> int:
    """Print the recipe of TABLE as JSON, or as one SQL view.

    For example: r2d2 recipe show exports/planes_boeing.csv --run run --dialect spark
    """
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    if plan is None and run is None:
        raise UsageError("give --run, the folder of `r2d2 plan`, or --plan, a plan file")
    path = plan or Path(run or "", PLAN_NAME)
    made = load_plan(path)
    entry = _entry(made, run or path.parent, table)
    if dialect is None:
        text = json.dumps(entry["recipe"], indent=2, ensure_ascii=False)
        print_text(json_for_terminal(text) + "\n")
        return EXIT_OK
    require("plan", "--dialect")
    from r2d2.plan.rebuild import view_of
    from r2d2.recipes.literals import UnrenderableRecipeError
    from r2d2.recipes.sql_names import load_names

    folder = run or (plan or Path()).parent
    try:
        text = view_of(made, folder, entry, dialect, load_names(config))
    except UnrenderableRecipeError as error:
        print_text(f"-- {visible(table)}: {printable(str(error))}\n")
        raise
    print_text(text + ";\n")
    return EXIT_OK


@recipe.command(name="run")
def run_recipe(
    *tables: Annotated[
        str, TableOfRun, Parameter(help="Tables that the plan deletes; none for all.")
    ],
    run: Run,
    plan: PlanFile = None,
    to: Annotated[Path, Output, Parameter(help="Folder to write below; nothing is overwritten.")],
    lake: Annotated[
        str | None, Parameter(help="Where the lake is now, if it was moved since the plan.")
    ] = None,
) -> int:
    """Rebuild TABLES from their parents alone, in their own format, and check their rows.

    Without names, all that the plan deletes; those that --to holds already are
    compared. A parent that changed does not matter as long as the rows that come
    out are those of the plan; a Delta table is read at the plan's version where
    that is left. A table that does not come back is named, and the others go on.
    The lake's own files are not touched.

    Exit codes: 0 all came back, 1 some did not.

    For example: r2d2 recipe run exports/planes_boeing.csv --run run --to restored
    """
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan
    from r2d2.plan.rebuild import LostTable, rebuild

    made = load_plan(plan or run / PLAN_NAME)
    names = tables or [t["table"] for t in made["tables"] if t["choice"] == "delete"]
    lost = 0
    for back in rebuild(made, run, names, to, lake):
        name = visible(back.table)
        if isinstance(back, LostTable):
            lost += 1
            sys.stderr.write(f"r2d2: {name}: {printable(back.problem)}\n")
            continue
        told = f"{name}: {pluralize(back.rows, 'row')}, {human_bytes(back.size_bytes)}"
        if back.stood:
            told += ", is there already with these rows"
        else:
            told += f", {back.seconds:.2f} s"
        print_lines(["; ".join((told, *map(printable, back.parents_told)))])
    if returned := len(names) - lost:
        told = f"{pluralize(returned, 'table')} below {to}, with the rows that the plan saw"
        print_lines([told])
    if lost:
        sys.stderr.write(f"r2d2: {lost} of {pluralize(len(names), 'table')} did not come back\n")
    return EXIT_FAILED if lost else EXIT_OK


def _entry(made: Mapping[str, Any], run: Path, table: str) -> dict[str, Any]:
    entries = {e["table"]: e for e in made["tables"] if e["choice"] == "delete"}
    if table in entries:
        return dict(entries[table])
    from r2d2.plan.plan_file import not_deleted

    raise not_deleted(run, table, made)
