"""The method: the inventory, then each stage in turn on what the one before left open.

`find` and `tables` are the calls of a library user.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from r2d2.engines.local.lake import LocalLake
from r2d2.errors import UsageError
from r2d2.extras import require
from r2d2.graph import Graph
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.lake.questions import Lake
from r2d2.model import Cost, FunnelRow, Types
from r2d2.processes import cpu_seconds
from r2d2.progress import Progress, Silence
from r2d2.settings.find import Settings
from r2d2.stages.exact import Exact
from r2d2.stages.metadata import Metadata
from r2d2.stages.sample import Sample
from r2d2.stages.schema import Schema
from r2d2.stages.sketch import Sketch
from r2d2.storage import storage_of


class Stage(Protocol):
    """A pure decision on the answers to bulk questions; its fields are its settings."""

    @property
    def name(self) -> str: ...

    def __call__(self, graph: Graph, lake: Lake) -> Graph: ...


def find_containment(lake: Lake, stages: Sequence[Stage]) -> Graph:
    """The lake's graph: each edge proved, each other pair refuted or still open."""
    inventory = lake.inventory()
    graph = Graph(inventory.tables, skipped=inventory.skipped, owners=inventory.owners)
    for stage in stages:
        graph = measured(stage, graph, lake)
    for place, stage in enumerate(stages):
        if isinstance(stage, Metadata) and graph.claimed:
            graph = _settled(stage, stages[place + 1 :], graph, lake)
    if graph.named:
        from r2d2.stages.renamed import under_own_names

        graph = under_own_names(graph)
    return graph.closed()


def stages_of(settings: Settings) -> tuple[Stage, ...]:
    """The stages that the settings name, cheapest first.

    Raises:
        MissingDependencyError: renamed columns are asked for, without what finds them.
    """
    if settings.renamed:
        require("renamed", "finding renamed columns")
    names = ("renamed", *settings.stages) if settings.renamed else settings.stages
    stages = [_stage(name, settings) for name in names]
    if settings.text_exports:
        from r2d2.stages.exports import Exports

        # Bounds are of typed values and say nothing of texts.
        place = sum(stage.name in ("renamed", "schema", "metadata") for stage in stages)
        stages.insert(place, Exports(settings.case_sensitive))
    return tuple(stages)


def _stage(name: str, settings: Settings) -> Stage:
    fraction, case = settings.min_fraction, settings.case_sensitive
    match name:
        case "renamed":
            from r2d2.stages.renamed import Renamed

            return Renamed(settings.types, fraction, case)
        case "schema":
            free = settings.constant_columns, settings.ignore_columns
            return Schema(settings.types, case, *free)
        case "metadata":
            return Metadata(fraction, case)
        case "sample":
            return Sample(settings.sample_rows, fraction, case)
        case "sketch":
            return Sketch(settings.sketch_size, fraction, case)
        case "exact":
            return Exact(fraction, case)
    raise UsageError(f"there is no stage {name!r}")


def measured(stage: Stage, graph: Graph, lake: Lake) -> Graph:
    """The graph after the stage, with a row of the funnel for it."""
    start, cpu_start = perf_counter(), cpu_seconds()
    before, edges = graph.open_pairs(), len(graph.edges)
    after = stage(replace(graph, reasons={}, cost=Cost()), lake)
    left, proved = after.open_pairs(), len(after.edges) - edges
    pairs = left if stage.name in ("schema", "exports") else before
    row = FunnelRow(
        stage.name,
        pairs,
        pairs - left - proved,
        proved,
        left,
        after.reasons,
        perf_counter() - start,
        after.cost.bytes_read,
        after.cost.rows_read,
        after.cost.bytes_shuffled,
        cpu_seconds() - cpu_start + after.cost.core_seconds,
        after.cost.work,
    )
    return replace(after, funnel=(*graph.funnel, row))


def _settled(metadata: Metadata, later: Sequence[Stage], graph: Graph, lake: Lake) -> Graph:
    """The graph after what footers refuted was compared with rows, and what rows did not refute
    has taken the later stages."""
    start, cpu_start = perf_counter(), cpu_seconds()
    again = metadata.reopened(graph, lake)
    count = again.open_pairs()
    row = FunnelRow(
        metadata.name,
        0,
        -count,
        0,
        count,
        {reason: -number for reason, number in again.reasons.items()},
        perf_counter() - start,
        again.cost.bytes_read,
        again.cost.rows_read,
        again.cost.bytes_shuffled,
        cpu_seconds() - cpu_start + again.cost.core_seconds,
        again.cost.work,
    )
    again = replace(again, funnel=(row,))
    for stage in later if count else ():
        again = measured(stage, again, lake)
    added = {row.stage: row for row in again.funnel}
    return replace(
        again,
        blocks=graph.blocks + again.blocks,
        funnel=tuple(
            row.plus(added[row.stage]) if row.stage in added else row for row in graph.funnel
        ),
    )


def tables(lake: str | Path, settings: Settings | None = None) -> Inventory:
    """The lake's tables, from metadata alone.

    Raises:
        LakeError: the lake cannot be listed.
    """
    return take_inventory(storage_of(str(lake)), settings or Settings())


def find(
    lake: str | Path,
    settings: Settings | None = None,
    *,
    engine: str = "local",
    session: Any = None,
    master: str | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> Graph:
    """The containment graph of a lake; `changes` are fields of `Settings`.

    >>> find("sample_lake", min_fraction=0.9).edges  # doctest: +SKIP

    Raises:
        LakeError: the lake cannot be listed.
        UsageError: a setting is wrong.
    """
    settings = replace(settings or Settings(), **changes)
    if "types" in changes:
        settings = replace(settings, types=Types(changes["types"]))
    storage = storage_of(str(lake))
    progress = progress or Silence()
    if engine == "spark":
        from r2d2.engines.spark.lake import SparkLake
        from r2d2.engines.spark.session import session_of

        with (
            nullcontext(session) if session is not None else session_of(master) as spark,
            SparkLake(storage, settings, spark, progress) as distributed,
        ):
            return find_containment(distributed, stages_of(settings))
    with LocalLake(storage, settings, progress) as local:
        return find_containment(local, stages_of(settings))
