"""`r2d2 …`: parse, one call, write, exit code. See `errors` for the exit codes."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.config import Env

from r2d2 import __version__, cli_plan, cli_recipe, cli_vmcost
from r2d2.console import print_json, print_lines
from r2d2.errors import EXIT_FAILED, EXIT_OK, R2D2Error
from r2d2.report.exit_code import Finding, exit_code, findings
from r2d2.text_tables import printable

# What a command needs is imported when it runs, so that --help answers at once.

app = App(
    name="r2d2",
    help="Find the tables of a data lake that are contained in others, and prove it.",
    help_format="plaintext",
    version=__version__,
    config=Env("R2D2_", command=False),
    result_action="return_value",
    help_epilogue=(
        "Exit codes: 0 fine, 1 failed, 2 usage, 3 found what --fail-on names,"
        " 4 finished but some tables could not be read.\n\n"
        "A LAKE is a folder or a URL (s3://bucket/prefix, gs://…, abfss://…)."
        " Every flag can be set in the environment: R2D2_TYPES=widened."
    ),
)

cli_plan.add_to(app)
app.command(cli_recipe.recipe)
app.command(cli_vmcost.vmcost)

Config = Annotated[Path | None, Parameter(help="TOML file of settings; flags go over it.")]
Json = Annotated[bool, Parameter(negative="", help="Write JSON to stdout instead of text.")]
TypesFlag = Annotated[
    Literal["strict", "widened"] | None,
    Parameter(help="Which types match: the same, or all numbers by exact value."),
]
Engine = Annotated[Literal["local", "spark"], Parameter(help="Who reads and hashes.")]
Renamed = Annotated[
    bool | None, Parameter(negative="", help="Also match columns that were renamed.")
]
FailOn = Annotated[
    tuple[Finding, ...],
    Parameter(
        negative="", show_default=False, help="Exit with 3 where there are any; may be repeated."
    ),
]
Master = Annotated[
    str | None, Parameter(help="Spark master or sc://host:port; default: the session's own.")
]


@app.command
def tables(lake: str, /, *, config: Config = None, json: Json = False) -> int:
    """List the tables of LAKE: format, columns, rows, bytes, or why one is not eligible.

    Reads metadata only. Example: r2d2 tables sample_lake
    """
    from r2d2.api import tables as list_tables
    from r2d2.config import load_settings
    from r2d2.interrupt import interruptibly
    from r2d2.report import outputs, text

    settings = load_settings(config)
    inventory = interruptibly(lambda: list_tables(lake, settings))
    if json:
        print_json(outputs.inventory_data(inventory))
    else:
        print_lines(text.table_lines(inventory))
    return exit_code(inventory.tables)


@app.command
def find(
    lake: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Folder for edges.csv, graph.json, …")] = None,
    types: TypesFlag = None,
    min_fraction: Annotated[
        float | None, Parameter(help="List near-containment from this fraction on.")
    ] = None,
    renamed: Renamed = None,
    stages: Annotated[
        str | None, Parameter(help="Stages to run: schema,metadata,sample,sketch,exact.")
    ] = None,
    engine: Engine = "local",
    master: Master = None,
    threads: Annotated[int | None, Parameter(help="Threads of the local engine.")] = None,
    fail_on: FailOn = (),
    config: Config = None,
    json: Json = False,
) -> int:
    """Find which tables of LAKE are contained in which, each edge proved.

    For example:

    r2d2 find sample_lake --out run

    r2d2 find s3://bucket/warehouse --min-fraction 0.9 --json

    r2d2 find /lake --engine spark --master spark://host:7077 --out run

    r2d2 find /lake --fail-on equal --fail-on unreadable
    """
    from r2d2.api import find as find_graph
    from r2d2.config import load_settings
    from r2d2.interrupt import interruptibly
    from r2d2.lake.storage import storage_of
    from r2d2.model import Types
    from r2d2.report import outputs, text
    from r2d2.watch import watching

    settings = load_settings(
        config,
        types=Types(types) if types else None,
        min_fraction=min_fraction,
        renamed=renamed,
        stages=tuple(stages.split(",")) if stages else None,
        threads=threads,
    )
    with watching() as progress:
        graph = interruptibly(
            lambda: find_graph(lake, settings, engine=engine, master=master, progress=progress)
        )
    if out is not None:
        outputs.write_find(out, graph, settings, storage_of(lake).url)
    if json:
        data = outputs.graph_data(graph, settings, storage_of(lake).url)
        print_json(data | {"funnel": outputs.funnel_data(graph)})
    else:
        print_lines(text.find_lines(graph))
        if out is not None:
            print_lines([f"written to {out}: edges.csv, degenerate.csv, tables.csv, *.json"])
    found = findings(graph, fail_on)
    if found:
        told = ", ".join(f"{kind} ({count:,})" for kind, count in found.items())
        sys.stderr.write(f"r2d2: --fail-on found {told}\n")
    return exit_code(graph.tables, found)


@app.command
def explain(
    child: str,
    parent: str,
    /,
    *,
    lake: Annotated[str, Parameter(help="The lake that both tables are in.")] = ".",
    types: TypesFlag = None,
    renamed: Renamed = None,
    show_samples: Annotated[
        int, Parameter(help="Show up to so many child rows that the parent lacks.")
    ] = 0,
    config: Config = None,
    json: Json = False,
) -> int:
    """Tell which stage decides whether CHILD is contained in PARENT, and why.

    Values of the data are shown under --show-samples only.
    For example: r2d2 explain team/copy.parquet flights.parquet --lake sample_lake
    """
    from r2d2.config import load_settings
    from r2d2.explain import explain_pair
    from r2d2.interrupt import interruptibly
    from r2d2.model import Types

    settings = load_settings(config, types=Types(types) if types else None, renamed=renamed)
    explanation = interruptibly(lambda: explain_pair(lake, child, parent, settings, show_samples))
    if json:
        print_json(explanation.data())
    else:
        print_lines(explanation.lines())
    return EXIT_OK


@app.command
def doctor(*, json: Json = False) -> int:
    """Tell what works here: Java, Spark, jars, file systems; and what to install."""
    from r2d2.doctor import check_up

    findings = check_up()
    if json:
        print_json([finding.data() for finding in findings])
    else:
        print_lines(finding.line() for finding in findings)
    return (
        EXIT_OK if all(finding.works or finding.optional for finding in findings) else EXIT_FAILED
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        result: Any = app(arguments)
        return result if isinstance(result, int) else EXIT_OK
    except R2D2Error as error:
        sys.stderr.write(f"r2d2: {printable(str(error))}\n")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
