"""Finds the tables of a data lake that are contained in others, and proves it.

The calls are `tables`, `find`, `open_run`, `plan`, `vmcost` and `schema`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

# Not from `typing`: its import would take the time in which Ctrl-C still has a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from r2d2.api import find, open_run, plan, schema, tables, vmcost
    from r2d2.api.costs import VmCosts
    from r2d2.api.results import LakeTables, Plan, Run
    from r2d2.errors import (
        DeniedError,
        IneligibleTableError,
        LakeError,
        MisfitError,
        MissingDependencyError,
        NoSuchLakeError,
        NotWritableError,
        R2D2Error,
        RecipeRunError,
        TableError,
        UnansweredError,
        UnreadableTableError,
        UsageError,
    )
    from r2d2.graph import Graph
    from r2d2.model import Column, Edge, Evidence, Format, Table, Types, Verdict
    from r2d2.settings.find import Settings
    from r2d2.settings.plan import PlanSettings

__version__ = "0.1.0"

_HOMES = {
    "api": ("find", "open_run", "plan", "schema", "tables", "vmcost"),
    "api.costs": ("VmCosts",),
    "api.results": ("LakeTables", "Plan", "Run"),
    "errors": (
        "DeniedError",
        "IneligibleTableError",
        "LakeError",
        "MisfitError",
        "MissingDependencyError",
        "NoSuchLakeError",
        "NotWritableError",
        "R2D2Error",
        "RecipeRunError",
        "TableError",
        "UnansweredError",
        "UnreadableTableError",
        "UsageError",
    ),
    "graph": ("Graph",),
    "model": ("Column", "Edge", "Evidence", "Format", "Table", "Types", "Verdict"),
    "settings.find": ("Settings",),
    "settings.plan": ("PlanSettings",),
}
_PACKAGES_AND_CALLS = ("plan", "vmcost")

__all__ = [
    "Column",
    "DeniedError",
    "Edge",
    "Evidence",
    "Format",
    "Graph",
    "IneligibleTableError",
    "LakeError",
    "LakeTables",
    "MisfitError",
    "MissingDependencyError",
    "NoSuchLakeError",
    "NotWritableError",
    "Plan",
    "PlanSettings",
    "R2D2Error",
    "RecipeRunError",
    "Run",
    "Settings",
    "Table",
    "TableError",
    "Types",
    "UnansweredError",
    "UnreadableTableError",
    "UsageError",
    "Verdict",
    "VmCosts",
    "find",
    "open_run",
    "plan",
    "schema",
    "tables",
    "vmcost",
]


def __getattr__(name: str) -> Any:
    """The public names are imported when first used (PEP 562), so that a command starts at once."""
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _PACKAGES_AND_CALLS:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__


class _CallablePackage(ModuleType):
    """`r2d2.plan` or `r2d2.vmcost`: a package that holds the work, and the call that starts it."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._call(*arguments, **keywords)

    @property
    def _call(self) -> Any:
        return getattr(import_module(f"{__name__}.api"), self.__name__.rpartition(".")[2])

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """What `help` shows: the call; what is in the package is not for users."""
        from inspect import signature

        first, _, rest = self._call.__doc__.partition("\n")
        return f"{first}\n\n    {self.__name__}{signature(self._call)}\n{rest}"

    @property
    def __all__(self) -> list[str]:
        """No name: the package's own are not for users."""
        return []


class _Root(ModuleType):
    """This package: it makes those packages callable when the import system gives them to it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PACKAGES_AND_CALLS and type(value) is ModuleType:
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Root
