"""Finds the tables of a data lake that are contained in others, and proves it."""

from r2d2.api import find, tables
from r2d2.config import Settings
from r2d2.errors import R2D2Error
from r2d2.graph import Graph
from r2d2.model import Column, Edge, Evidence, Format, Table, Types, Verdict

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
