"""The two calls a library user makes."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from r2d2.engines.local.lake import LocalLake
from r2d2.find import find_containment, stages_of
from r2d2.formats.csv.dialect import checked
from r2d2.graph import Graph
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.model import Types
from r2d2.progress import Progress, Silence
from r2d2.settings.find import Settings
from r2d2.storage.local import storage_of


def tables(lake: str | Path, settings: Settings | None = None) -> Inventory:
    """The lake's tables, from metadata alone.

    Raises:
        LakeError: the lake cannot be listed.
    """
    return take_inventory(storage_of(str(lake)), _checked(settings or Settings()))


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
    _checked(settings)
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


def _checked(settings: Settings) -> Settings:
    """The settings; a rule for text tables that says nonsense is refused before any is read."""
    for rule in settings.text:
        checked(rule.overrides)
    return settings
