"""The calls of a library user: `tables`, `find`, `open_run`, `plan`, `vmcost`, `schema`.

They take paths as text too, and return results that a notebook shows. What goes wrong is an
`R2D2Error` (see `r2d2.errors`). What a call needs is imported when it runs.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from r2d2.api.arguments import (
    FindChanges,
    Place,
    check_engine,
    checked,
    find_settings,
    folder_of,
    plan_before,
    plan_settings,
    usages,
)
from r2d2.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from r2d2.api.costs import VmCosts
    from r2d2.api.results import LakeTables, Plan, Run
    from r2d2.model import Types
    from r2d2.plan.usage import Usage
    from r2d2.progress import Progress
    from r2d2.settings.find import Settings
    from r2d2.settings.plan import PlanSettings
    from r2d2.vmcost.settings import VmCostSettings


def tables(
    lake: Place,
    settings: "Settings | Place | None" = None,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> "LakeTables":
    """The lake's tables, from metadata alone: no row is read.

    Args:
        lake: a folder, or the URL of one in an object store, such as `s3://bucket/prefix`.
        settings: `r2d2.Settings`, or a TOML file that has them.
        include: only these: locations, folders, patterns; none given are those of the settings.
        exclude: not these.

    Returns:
        `tables`, each with its format, columns, rows, bytes, and the problem of one that cannot be
        compared; `skipped`, the number of other files by reason. `to_arrow()`, `to_polars()` and
        `to_pandas()` give its tables as a frame.

    Raises:
        LakeError: the lake cannot be listed.
        UsageError: a setting is wrong.

    Example:
        >>> import r2d2
        >>> r2d2.tables("sample_lake").tables[0].location  # doctest: +SKIP
        'archive/united_2013-01_ms.parquet'
    """
    from r2d2.api.results import LakeTables, Tables
    from r2d2.pipeline import tables as list_tables

    given = {"include": include, "exclude": exclude}
    changes = checked({name: patterns for name, patterns in given.items() if patterns})
    found = list_tables(os.fspath(lake), replace(find_settings(settings), **changes))
    return LakeTables(
        Tables(found.tables), found.skipped, found.owners, found.listing, os.fspath(lake)
    )


def find(
    lake: Place,
    settings: "Settings | Place | None" = None,
    *,
    out: Place | None = None,
    types: "Types | Literal['strict', 'widened'] | None" = None,
    engine: Literal["local", "spark"] = "local",
    session: "SparkSession | None" = None,
    master: str | None = None,
    progress: "Progress | None" = None,
    **changes: Unpack[FindChanges],
) -> "Run":
    """The containment graph of a lake: which tables' rows all are in others, each edge proved.

    Args:
        lake: a folder, or the URL of one in an object store, such as `s3://bucket/prefix`.
        settings: `r2d2.Settings`, or a TOML file that has them; other arguments go over it.
        out: a folder for the run's files, which `r2d2.plan` needs; None writes none.
        types: which types match: "strict", the same, or "widened", all numbers by exact value.
        engine: what reads and hashes: "local", or "spark".
        session: of the engine "spark": the session to use.
        master: of the engine "spark": its master, or `sc://host:port`; None is the session's own.
        progress: is told how far the work is; None tells nobody.
        changes: fields of `r2d2.Settings`: `min_fraction` (from which part of a child's rows on,
            above 0 and to 1, near-containment is listed), `case_sensitive` (of columns' names),
            `renamed` (also match renamed columns), `constant_columns` (also children whose columns
            of one value the parent lacks), `ignore_columns` (patterns), `text_exports` (CSV and
            JSON exports of typed tables, too), `stages`, `sketch_size` (hashes of a table),
            `sample_rows` (of a child), `include` and `exclude` (locations, folders, patterns),
            `sample_tables` (so many; 0 is all), `threads`, `memory_bytes` (of row hashes), `text`
            and `tables` (rules).

    Returns:
        The run: `tables`, `edges`, `equal` (groups of equal tables), `degenerate` (edges of tables
        without rows or columns), `funnel` (the work of each stage; times in seconds), `skipped`,
        `warnings`, `folder`. As a frame, by `to_arrow()` and the like, it is its edges.

    Raises:
        LakeError: the lake cannot be listed.
        UsageError: a setting is wrong, or the folder has files of somebody else's.
        MissingDependencyError: what was asked for needs a package that is not installed.

    Example:
        >>> import r2d2
        >>> r2d2.find("sample_lake", min_fraction=0.9).edges  # doctest: +SKIP
        <77 edges>
    """
    from r2d2.api.results import Edges, Funnel, Run, Tables
    from r2d2.model import Types
    from r2d2.pipeline import find as find_graph
    from r2d2.report import FIND_FILES, orphans_told, unused_rules, write_find
    from r2d2.storage import storage_of
    from r2d2.storage.output import check_apart, output_path, prepare

    folder = None if out is None else output_path(os.fspath(out))
    if folder is not None:
        check_apart(folder, os.fspath(lake))
        prepare(folder, FIND_FILES)
    check_engine(engine)
    chosen = replace(find_settings(settings), **checked(changes))
    if types is not None:
        if types not in list(Types):
            raise UsageError(f"types = {types!r}: give one of {', '.join(Types)}")
        chosen = replace(chosen, types=Types(types))
    graph = find_graph(
        *(os.fspath(lake), chosen),
        engine=engine,
        session=session,
        master=master,
        progress=progress,
    )
    url = storage_of(os.fspath(lake)).url
    if folder is not None:
        write_find(folder, graph, chosen, url)
    return Run(
        Tables(graph.tables),
        edges=Edges(graph.edges),
        degenerate=Edges(graph.degenerate),
        funnel=Funnel(graph.funnel),
        skipped=graph.skipped,
        owners=graph.owners,
        lake=url,
        settings=chosen,
        warnings=(*orphans_told(graph.skipped), *unused_rules(chosen, graph.tables)),
        folder=folder,
        undecided=graph.open_pairs(),
    )


def open_run(folder: Place) -> "Run":
    """The run whose files `find` wrote into the folder; the lake is not looked at.

    Example: `r2d2.open_run("run").edges`, or `r2d2.open_run("run").plan`.

    Raises:
        UsageError: there is none, or another version of r2d2 wrote it.
    """
    from r2d2.api.results import read_run

    return read_run(Path(folder))


def plan(
    run: "Run | Place",
    settings: "PlanSettings | Place | None" = None,
    usage: "Sequence[Usage] | Place | None" = None,
    *,
    profile: Place | None = None,
    engine: Literal["local", "spark"] = "local",
    session: "SparkSession | None" = None,
    master: str | None = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    progress: "Progress | None" = None,
) -> "Plan":
    """The plan of what to delete from a run's lake, written into the run's folder; deletes nothing.

    Args:
        run: a run that `r2d2.find` wrote with `out=`, or its folder.
        settings: `r2d2.PlanSettings` or a TOML file: prices in USD, limits in seconds. None takes
            those of the plan in the folder, else the defaults.
        usage: rows of who reads what, or a CSV file; reads are a month. None is as with settings.
        profile: a `profile.json` of measured rates (seconds a GB), in place of assumed ones.
        engine: what reads and runs recipes: "local", or "spark".
        session: of the engine "spark": the session to use.
        master: of the engine "spark": its master, or `sc://host:port`; None is the session's own.
        threads: processes of the local engine that look for recipes; None is one a core.
        memory_bytes: their memory for rows, together; None is 1 GiB.
        progress: is told how far the work is; None tells nobody.

    Returns:
        The plan: `deleted`, `kept` and `tables` with the reason for each, `totals` (bytes, and USD
        a month), `warnings`, and `data`, all of `plan.json`. As a frame it is its tables.

    Raises:
        UsageError: the run has no folder, or a setting or a line of usage is wrong.
        LakeError: the lake cannot be listed.
        MissingDependencyError: the extra `plan` is not installed.

    Example:
        >>> import r2d2
        >>> run = r2d2.find("sample_lake", out="run")  # doctest: +SKIP
        >>> len(r2d2.plan(run, "sample_lake/plan.toml").deleted)  # doctest: +SKIP
        18
    """
    from r2d2.extras import require

    require("plan", "r2d2.plan")
    from r2d2.api.results import Plan
    from r2d2.plan import make_plan

    check_engine(engine)
    folder = folder_of(run)
    before = None
    if settings is None or usage is None:
        before = plan_before(folder)
    made = make_plan(
        *(folder, plan_settings(settings, before, profile), usages(usage, before)),
        engine=engine,
        session=session,
        master=master,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    return Plan.of(made, folder)


def vmcost(
    *logs: Place,
    vm: str | None = None,
    driver_vm: str | None = None,
    count: int | None = None,
    provider: str | None = None,
    region: str | None = None,
    spot: bool | None = None,
    settings: "VmCostSettings | Place | None" = None,
    prices: Place | None = None,
    progress: "Progress | None" = None,
) -> "VmCosts":
    """The costs of the VMs of the applications in Spark's event logs.

    The machines are those of the arguments, else of the settings, else of the log.

    Args:
        logs: files, folders or URLs of event logs.
        vm: the type of the executors' VMs, such as "m5.xlarge".
        driver_vm: the type of the driver's VM.
        count: the number of executors' VMs, if they stood for the whole run.
        provider: "aws", "azure" or "gcp".
        region: the provider's name of it, such as "us-east-1".
        spot: whether the executors' VMs are spot.
        settings: a TOML file, as `r2d2 init vmcost` writes one.
        prices: a CSV of prices in USD an hour, in place of r2d2's own list.
        progress: is told how far the work is; None tells nobody.

    Returns:
        The costs: `applications`, `jobs`, `stages` and `executors`, each with `usd` and seconds;
        `usd` of all that have a price; `unpriced`, how many have none (a VM needs its provider and
        region, unless the log names them); `left_out`, the logs that no application was read from;
        `data`, all of `report.json`. As a frame it is its applications.

    Raises:
        UsageError: no log is given or none can be read, or a setting is wrong.
        LakeError: a store with logs cannot be listed.
        MissingDependencyError: the extra `vmcost` is not installed.

    Example:
        >>> import r2d2
        >>> place = {"provider": "aws", "region": "us-east-1"}
        >>> r2d2.vmcost("logs", vm="m5.xlarge", **place).usd  # doctest: +SKIP
        0.1339
    """
    from r2d2.extras import require

    require("vmcost", "r2d2.vmcost")
    from r2d2.api.costs import VmCosts
    from r2d2.vmcost.events import fetched
    from r2d2.vmcost.machines import ClusterFacts
    from r2d2.vmcost.pipeline import CostRequest, cost
    from r2d2.vmcost.prices import load_prices
    from r2d2.vmcost.report.data import report_data
    from r2d2.vmcost.settings import VmCostSettings, load_vmcost_settings

    if not logs:
        raise UsageError("give one or more event logs, or folders of them")
    if not isinstance(settings, VmCostSettings):
        settings = load_vmcost_settings(None if settings is None else Path(settings))
    stated = ClusterFacts(provider, region, vm, count, driver_vm, spot)
    listed = load_prices(None if prices is None else Path(prices))
    with fetched([os.fspath(log) for log in logs]) as copies:
        request = CostRequest(listed, settings, stated)
        costed = cost(copies.paths, request, progress).renamed(copies.origin)
    if not costed.costed and costed.logs.refused:
        path, reason = costed.logs.refused[0]
        raise UsageError(f"no log could be read: {path}: {reason}")
    data = report_data(costed.costed, date.today(), costed.besides)
    return VmCosts.of(data, (*costed.logs.refused, *costed.logs.repeated))


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a file or an output of r2d2, such as `graph` or `plan`.

    Raises:
        UsageError: there is none by this name; the message lists all.
    """
    import json
    from importlib.resources import files

    folder = files("r2d2").joinpath("schemas")
    found = {each.name.removesuffix(".json"): each for each in folder.iterdir()}
    if name not in found:
        raise UsageError(f"no schema {name!r}: there are {', '.join(sorted(found))}")
    return dict(json.loads(found[name].read_text(encoding="utf-8")))
