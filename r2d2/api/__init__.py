"""The calls of a library user: `tables`, `find`, `open_run`, `plan`, `vmcost`, `schema`.

They take paths as text too, and return results that a notebook shows. What goes wrong is an
`R2D2Error` (see `r2d2.errors`). What a call needs is imported when it runs.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from r2d2.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from r2d2.api.costs import VmCosts
    from r2d2.api.results import LakeTables, Plan, Run
    from r2d2.model import Types
    from r2d2.plan.usage import Usage
    from r2d2.progress import Progress
    from r2d2.settings.find import Settings, TableRule, TextRule
    from r2d2.settings.plan import PlanSettings
    from r2d2.vmcost.settings import VmCostSettings

Place = str | os.PathLike[str]
"""A path, or of a lake and of logs a URL."""


class FindChanges(TypedDict, total=False):
    """The fields of `Settings` as keywords of `find`, but for `types`."""

    min_fraction: float
    case_sensitive: bool
    renamed: bool
    constant_columns: bool
    ignore_columns: tuple[str, ...]
    text_exports: bool
    stages: tuple[str, ...]
    sketch_size: int
    sample_rows: int
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    sample_tables: int
    threads: int
    memory_bytes: int
    text: "tuple[TextRule, ...]"
    tables: "tuple[TableRule, ...]"


def tables(lake: Place, settings: "Settings | Place | None" = None) -> "LakeTables":
    """The lake's tables, from metadata alone; `settings` may be a TOML file.

    Raises:
        LakeError: the lake cannot be listed.
        UsageError: a setting is wrong.
    """
    from r2d2.api.results import LakeTables, Tables
    from r2d2.pipeline import tables as list_tables

    found = list_tables(os.fspath(lake), _find_settings(settings))
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
    """The containment graph of a lake; `changes` are fields of `Settings`, over a TOML file's.

    `out` is a folder for its files, which a plan needs.

    >>> find("sample_lake", min_fraction=0.9).edges  # doctest: +SKIP
    <77 edges>

    Raises:
        LakeError: the lake cannot be listed.
        UsageError: a setting is wrong, or the folder has files of somebody else's.
        MissingDependencyError: what was asked for needs a package that is not installed.
    """
    from r2d2.api.results import Edges, Funnel, Run, Tables
    from r2d2.model import Types
    from r2d2.pipeline import find as find_graph
    from r2d2.report.find import FIND_FILES, unused_rules, write_find
    from r2d2.storage import storage_of
    from r2d2.storage.output import check_apart, output_path, prepare

    folder = None if out is None else output_path(os.fspath(out))
    if folder is not None:
        check_apart(folder, os.fspath(lake))
        prepare(folder, FIND_FILES)
    _check_engine(engine)
    chosen = replace(_find_settings(settings), **_checked(changes))
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
        warnings=tuple(unused_rules(chosen, graph.tables)),
        folder=folder,
        undecided=graph.open_pairs(),
    )


def _check_engine(engine: str) -> None:
    if engine not in ("local", "spark"):
        raise UsageError(f"engine = {engine!r}: give 'local' or 'spark'")


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `find`, each a field of `Settings` with a value of its type.

    Raises:
        UsageError: one is not.
    """
    from r2d2.settings.find import Settings

    standard, known = Settings(), FindChanges.__annotations__
    for name, value in changes.items():
        if name not in known:
            raise UsageError(f"find has no setting {name!r}: it has {', '.join(sorted(known))}")
        wanted: type | tuple[type, ...] = type(getattr(standard, name))
        wanted = (int, float) if wanted is float else (list, tuple) if wanted is tuple else wanted
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            told = "several values, as a tuple" if wanted == (list, tuple) else "another type"
            raise UsageError(f"{name} = {value!r}: expected {told}")
    return {n: tuple(v) if isinstance(v, list) else v for n, v in changes.items()}


def open_run(folder: Place) -> "Run":
    """The run whose files `find` wrote into the folder; the lake is not looked at.

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
    """The plan for a run with a folder, where it is written; each recipe in it was run.

    `settings` may be a TOML file, `usage` a CSV of who reads what, `profile` a `profile.json`.
    Settings and usage that are None are those of the plan in the folder, where there is one.

    Raises:
        UsageError: the run has no folder, or a setting or a line of usage is wrong.
        LakeError: the lake cannot be listed.
        MissingDependencyError: the extra `plan` is not installed.
    """
    from r2d2.extras import require

    require("plan", "r2d2.plan")
    from r2d2.api.results import Plan
    from r2d2.plan import make_plan

    _check_engine(engine)
    folder = _folder_of(run)
    before = None
    if settings is None or usage is None:
        before = _plan_before(folder)
    made = make_plan(
        *(folder, _plan_settings(settings, before, profile), _usages(usage, before)),
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
    """The costs of the VMs of the applications in Spark's event logs: files, folders or URLs.

    The machines are those of the arguments, else of the settings (which may be a TOML file), else
    of the log. `prices` is a CSV in place of r2d2's own list.

    Raises:
        UsageError: no log is given or none can be read, or a setting is wrong.
        LakeError: a store with logs cannot be listed.
        MissingDependencyError: the extra `vmcost` is not installed.
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


def _find_settings(settings: "Settings | Place | None") -> "Settings":
    from r2d2.settings.find import Settings, load_settings

    if isinstance(settings, Settings):
        return settings
    return load_settings(None if settings is None else Path(settings))


def _plan_before(folder: Path) -> Mapping[str, Any] | None:
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    return load_plan(folder / PLAN_NAME) if (folder / PLAN_NAME).is_file() else None


def _plan_settings(
    settings: "PlanSettings | Place | None",
    before: Mapping[str, Any] | None,
    profile: Place | None,
) -> "PlanSettings":
    from r2d2.settings.plan import PlanSettings, load_plan_settings, plan_settings_of
    from r2d2.settings.profile import load_profile, with_profile

    if settings is None and before is not None:
        settings = plan_settings_of(before["settings"])
    if not isinstance(settings, PlanSettings):
        settings = load_plan_settings(None if settings is None else Path(settings))
    return settings if profile is None else with_profile(settings, load_profile(Path(profile)))


def _usages(
    usage: "Sequence[Usage] | Place | None", before: Mapping[str, Any] | None
) -> "Sequence[Usage]":
    from r2d2.plan.usage import load_usage, usages_of_plan

    if usage is None:
        return () if before is None else usages_of_plan(before)
    return load_usage(Path(usage)) if isinstance(usage, str | os.PathLike) else usage


def _folder_of(run: "Run | Place") -> Path:
    from r2d2.graph import Graph

    if not isinstance(run, Graph):
        return Path(run)
    if run.folder is None:
        raise UsageError("the run has no folder: give `find` one, as in find(lake, out='run')")
    return run.folder
