"""The arguments of the library's calls: paths, settings and keywords, checked and read."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from r2d2.errors import UsageError

if TYPE_CHECKING:
    from r2d2.api.results import Run
    from r2d2.plan.usage import Usage
    from r2d2.settings.find import Settings, TableRule, TextRule
    from r2d2.settings.plan import PlanSettings

Place = str | os.PathLike[str]
"""A path, or of a lake and of logs a URL."""


class FindChanges(TypedDict, total=False):
    """The fields of `Settings` as keywords of `find`, but for `types`."""

    min_fraction: float
    case_sensitive: bool
    renamed: bool
    constant_columns: bool
    ignore_columns: Sequence[str]
    text_exports: bool
    stages: Sequence[str]
    sketch_size: int
    sample_rows: int
    include: Sequence[str]
    exclude: Sequence[str]
    sample_tables: int
    threads: int
    memory_bytes: int
    text: "Sequence[TextRule]"
    tables: "Sequence[TableRule]"


def check_engine(engine: str) -> None:
    """Passes where there is such an engine.

    Raises:
        UsageError: there is none.
    """
    if engine not in ("local", "spark"):
        raise UsageError(f"engine = {engine!r}: give 'local' or 'spark'")


def checked(changes: Mapping[str, Any]) -> dict[str, Any]:
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
            told = {bool: "True or False", int: "a whole number", (int, float): "a number"}
            raise UsageError(
                f"{name} = {value!r}: expected {told.get(wanted, 'several values, as a tuple')}"
            )
    return {n: tuple(v) if isinstance(v, list) else v for n, v in changes.items()}


def find_settings(settings: "Settings | Place | None") -> "Settings":
    """The settings of `find`: those given, of a TOML file, or the defaults."""
    from r2d2.settings.find import Settings, load_settings

    if isinstance(settings, Settings):
        return settings
    return load_settings(None if settings is None else Path(settings))


def plan_before(folder: Path) -> Mapping[str, Any] | None:
    """The plan that is in the folder; None where there is none."""
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    return load_plan(folder / PLAN_NAME) if (folder / PLAN_NAME).is_file() else None


def plan_settings(
    settings: "PlanSettings | Place | None",
    before: Mapping[str, Any] | None,
    profile: Place | None,
) -> "PlanSettings":
    """The settings of a plan: those given, of a TOML file, of the plan before, or the defaults."""
    from r2d2.settings.plan import PlanSettings, load_plan_settings, plan_settings_of
    from r2d2.settings.profile import load_profile, with_profile

    if settings is None and before is not None:
        settings = plan_settings_of(before["settings"])
    if not isinstance(settings, PlanSettings):
        settings = load_plan_settings(None if settings is None else Path(settings))
    return settings if profile is None else with_profile(settings, load_profile(Path(profile)))


def usages(
    usage: "Sequence[Usage] | Place | None", before: Mapping[str, Any] | None
) -> "Sequence[Usage]":
    """The rows of usage: those given, of a CSV file, or of the plan before."""
    from r2d2.plan.usage import load_usage, usages_of_plan

    if usage is None:
        return () if before is None else usages_of_plan(before)
    return load_usage(Path(usage)) if isinstance(usage, str | os.PathLike) else usage


def folder_of(run: "Run | Place") -> Path:
    """The folder of a run.

    Raises:
        UsageError: it has none.
    """
    from r2d2.graph import Graph

    if not isinstance(run, Graph):
        return Path(run)
    if run.folder is None:
        raise UsageError("the run has no folder: give `find` one, as in find(lake, out='run')")
    return run.folder
