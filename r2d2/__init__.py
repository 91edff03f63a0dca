"""Finds the tables of a data lake that are contained in others, and proves it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from r2d2.errors import R2D2Error
    from r2d2.graph import Graph
    from r2d2.model import Column, Edge, Evidence, Format, Table, Types, Verdict
    from r2d2.pipeline import find, tables
    from r2d2.settings.find import Settings

__version__ = "0.1.0"

__all__ = [
    "Column",
    "Edge",
    "Evidence",
    "Format",
    "Graph",
    "R2D2Error",
    "Settings",
    "Table",
    "Types",
    "Verdict",
    "find",
    "tables",
]

_HOMES = {
    "find": "pipeline",
    "tables": "pipeline",
    "Settings": "settings.find",
    "R2D2Error": "errors",
    "Graph": "graph",
}


def __getattr__(name: str) -> Any:
    """The public names are imported when first used (PEP 562), so that a command starts at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"r2d2.{_HOMES.get(name, 'model')}"), name)
