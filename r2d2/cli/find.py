"""`r2d2 find`, `tables` and `explain`: a lake's containment graph, its tables, one pair of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from r2d2.cli import Config, Json, Output, Renamed, TypesFlag
from r2d2.cli.report import Report, page_written, prepare_page, write_page, write_run
from r2d2.cli.terminal import (
    is_verbose,
    print_json,
    print_lines,
    print_problem,
    print_warning,
)
from r2d2.errors import EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE
from r2d2.text_tables import aligned, shell_word, visible

if TYPE_CHECKING:
    from r2d2.graph import Graph
    from r2d2.model import Table

ConstantColumns = Annotated[
    bool | None,
    Parameter(
        negative="",
        help=(
            "Also find children that have columns of one value, or pandas' index, which the parent"
            " lacks; ignore_columns in [find] of --config names columns to leave out."
        ),
    ),
]
TextExports = Annotated[
    bool | None,
    Parameter(
        negative="", help="Also match CSV and JSON exports of typed tables, by their values."
    ),
]
Include = Annotated[
    tuple[str, ...] | None,
    Parameter(negative="", help="Look only at these: a location, folder or pattern; may repeat."),
]
Exclude = Annotated[
    tuple[str, ...] | None,
    Parameter(negative="", help="Do not look at these: neither child nor parent; may repeat."),
]
Sample = Annotated[
    int | None,
    Parameter(help="Look at so many tables only; those of like names are taken together."),
]
Finding = Literal["edges", "equal", "unreadable"]


def find(
    lake: Annotated[str, Parameter(help="Folder or URL that holds the tables.")],
    /,
    *,
    out: Annotated[
        Path | None, Output, Parameter(help="Folder for edges.csv, graph.json, …")
    ] = None,
    types: TypesFlag = None,
    min_fraction: Annotated[
        float | None, Parameter(help="List near-containment from this fraction on.")
    ] = None,
    renamed: Renamed = None,
    constant_columns: ConstantColumns = None,
    text_exports: TextExports = None,
    include: Include = None,
    exclude: Exclude = None,
    sample: Sample = None,
    stages: Annotated[
        str | None,
        Parameter(
            help="Stages to run, of schema,metadata,sample,sketch,exact; default: all but sample."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "spark"], Parameter(help="Engine that reads and hashes.")
    ] = "local",
    master: Annotated[
        str | None, Parameter(help="Spark master or sc://host:port; default: the session's own.")
    ] = None,
    threads: Annotated[int | None, Parameter(help="Threads of the local engine.")] = None,
    fail_on: Annotated[
        tuple[Finding, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Exit with 3 if any of these are found; may be repeated.",
        ),
    ] = (),
    config: Config = None,
    report: Report = None,
    json: Json = False,
) -> int:
    """Find which tables of LAKE are contained in which, each edge proved.

    Exit codes: 3 found what --fail-on names, 4 some tables could not be read.

    For example:

    r2d2 find sample_lake --out run

    r2d2 find s3://bucket/warehouse --min-fraction 0.9 --json

    r2d2 find /lake --engine spark --master spark://host:7077 --out run

    r2d2 find /lake --fail-on equal --fail-on unreadable

    r2d2 find /lake --exclude tmp --exclude '*_test.parquet' --sample 1000
    """
    from r2d2.cli.find_text import find_lines
    from r2d2.cli.terminal import watching
    from r2d2.model import Types
    from r2d2.pipeline import find as find_graph
    from r2d2.report import (
        FIND_FILES,
        funnel_data,
        graph_data,
        orphans_told,
        sample_told,
        unused_rules,
        write_find,
    )
    from r2d2.settings.find import load_settings
    from r2d2.storage import storage_of
    from r2d2.storage.output import check_apart, prepare

    if out is not None:
        check_apart(out, lake)
        prepare(out, FIND_FILES)
    prepare_page(report)
    settings = load_settings(
        config,
        types=Types(types) if types else None,
        min_fraction=min_fraction,
        renamed=renamed,
        constant_columns=constant_columns,
        text_exports=text_exports,
        include=include,
        exclude=exclude,
        sample_tables=sample,
        stages=tuple(stages.split(",")) if stages else None,
        threads=threads,
    )
    if master and engine == "local":
        print_warning("--master has no effect without --engine spark")
    with watching() as progress:
        graph = find_graph(lake, settings, engine=engine, master=master, progress=progress)
    told_in_text = () if json else tuple(sample_told(settings, graph.tables))
    for sentence in (*orphans_told(graph.skipped), *unused_rules(settings, graph.tables)):
        if sentence not in told_in_text:
            print_warning(sentence)
    if out is not None:
        write_find(out, graph, settings, storage_of(lake).url)
    if report is not None and out is not None:
        write_run(report, out)
    elif report is not None:
        from r2d2.page.run_files import run_of_data

        data = graph_data(graph, settings, storage_of(lake).url)
        write_page(report, run_of_data(data, funnel_data(graph)))
    if json:
        data = graph_data(graph, settings, storage_of(lake).url)
        print_json(data | {"funnel": funnel_data(graph)})
    else:
        again = _as_words(
            {
                "--types": types,
                "--min-fraction": min_fraction,
                "--renamed": renamed,
                "--constant-columns": constant_columns,
                "--text-exports": text_exports,
                "--include": include,
                "--exclude": exclude,
                "--sample": sample,
                "--stages": stages,
                "--config": config,
            }
        )
        steps = list(_next_steps(" ".join([shell_word(lake), *again]), out, report, graph))
        print_lines(find_lines(graph, steps, verbose=is_verbose()))
    counts = findings(graph, fail_on)
    if counts:
        listed = ", ".join(f"{kind} ({count:,})" for kind, count in counts.items())
        print_problem(f"--fail-on found {listed}")
    return exit_code(graph.tables, counts)


def tables(
    lake: Annotated[str, Parameter(help="Folder or URL that holds the tables.")],
    /,
    *,
    include: Include = None,
    exclude: Exclude = None,
    sample: Sample = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """List the tables of LAKE: format, columns, rows, bytes, or why one is not eligible.

    Says why a folder's files are one table; with -v, which files are in none.
    Reads metadata only.

    Exit codes: 4 some tables could not be read.

    For example: r2d2 tables sample_lake
    """
    from r2d2.cli.find_text import table_lines
    from r2d2.pipeline import tables as list_tables
    from r2d2.report import inventory_data, orphans_told, unused_rules
    from r2d2.settings.find import load_settings

    settings = load_settings(config, include=include, exclude=exclude, sample_tables=sample)
    inventory = list_tables(lake, settings)
    for sentence in (*orphans_told(inventory.skipped), *unused_rules(settings, inventory.tables)):
        print_warning(sentence)
    if json:
        print_json(inventory_data(inventory))
    else:
        print_lines(table_lines(inventory, verbose=is_verbose()))
    return exit_code(inventory.tables)


def explain(
    child: Annotated[str, Parameter(help="Location of the smaller table in the lake.")],
    parent: Annotated[str, Parameter(help="Location of the larger one.")],
    /,
    *,
    lake: Annotated[str, Parameter(help="The lake that both tables are in.")] = ".",
    types: TypesFlag = None,
    renamed: Renamed = None,
    constant_columns: ConstantColumns = None,
    text_exports: TextExports = None,
    show_samples: Annotated[
        int, Parameter(help="Show up to so many child rows that the parent lacks.")
    ] = 0,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show which stage decides whether CHILD is contained in PARENT, and why.

    Values of the data are shown under --show-samples only.

    Exit codes: 0 a verdict, 2 no such table, 4 not judged: one of the two cannot be read.

    For example: r2d2 explain exports/airlines.jsonl exports/airlines.csv --lake sample_lake
    """
    from r2d2.explain import explain_pair
    from r2d2.model import Types, Verdict
    from r2d2.settings.find import load_settings

    settings = load_settings(
        config,
        types=Types(types) if types else None,
        renamed=renamed,
        constant_columns=constant_columns,
        text_exports=text_exports,
    )
    explanation = explain_pair(lake, child, parent, settings, show_samples)
    if json:
        print_json(explanation.data())
    else:
        print_lines(explanation.lines())
    is_judged = explanation.evidence[-1].verdict is not Verdict.NOT_JUDGED
    return EXIT_OK if is_judged else EXIT_SOME_UNREADABLE


def _as_words(flags: Mapping[str, object]) -> Iterator[str]:
    """The flags that were given, as words of a command."""
    for flag, value in flags.items():
        if value is True:
            yield flag
        elif value is not None and value is not False:
            for each in value if isinstance(value, tuple) else (value,):
                yield f"{flag} {shell_word(str(each))}"


def _next_steps(found: str, out: Path | None, report: Path | None, graph: "Graph") -> Iterator[str]:
    """The lines on what was written, and on the commands that go on from there.

    `found` are the words of this run's command: its lake and flags.
    """
    if out is not None:
        yield f"written to {visible(str(out))}: edges.csv, degenerate.csv, tables.csv, *.json"
    if report is not None:
        yield page_written(report)
    if out is None:
        if graph.edges:
            yield f"next: r2d2 find {found} --out run   writes the files that a plan needs"
        return
    if graph.edges:
        steps = [(f"r2d2 plan --run {shell_word(str(out))}", "what to delete, and what that saves")]
        steps.append(
            (f"r2d2 edges {shell_word(str(out))}", "every containment, by table or folder")
        )
        if report is None:
            page = f"r2d2 report {shell_word(str(out))}"
            steps.append((page, "all of it as a page to look at"))
        for begin, line in zip(("next: ", "      ", "      "), aligned(steps), strict=False):
            yield begin + line


def findings(graph: "Graph", kinds: Collection[Finding]) -> Mapping[Finding, int]:
    """The count of each kind of finding that --fail-on names, where there are any.

    `edges` are those listed, near-containment too where that was looked for, and
    no degenerate ones; `equal` those that hold both ways; `unreadable` tables that
    could not be read.
    """
    counts: dict[Finding, int] = {
        "edges": len(graph.edges),
        "equal": sum(edge.equal for edge in graph.edges),
        "unreadable": sum(table.unreadable for table in graph.tables),
    }
    return {kind: count for kind, count in counts.items() if kind in kinds and count}


def exit_code(tables: "Iterable[Table]", counts: Mapping[Finding, int] | None = None) -> int:
    """`EXIT_FOUND` where there are findings, else whether every table could be read."""
    if counts:
        return EXIT_FOUND
    return EXIT_SOME_UNREADABLE if any(table.unreadable for table in tables) else EXIT_OK
