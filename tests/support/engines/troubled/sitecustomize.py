"""Plants errors in every Python process whose PYTHONPATH has this folder: Spark's workers too.

Reading a table called `read NAME.parquet` raises the error of that name, and so does hashing the
rows of one whose first value is `hash NAME`; reading `kill ANY.parquet` kills the process. Python
imports this module at its start.
"""

import os
import signal
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def errors() -> dict[str, BaseException]:
    """What libraries raise, by the name of its type."""
    import pyarrow as pa

    made = (
        pa.ArrowInvalid("Take operation overflowed binary array capacity"),
        pa.ArrowMemoryError("malloc of size 9 failed"),
        MemoryError(),
        RecursionError("maximum recursion depth exceeded"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AssertionError(),
        SystemError("returned NULL without setting an exception"),
    )
    return {type(error).__name__: error for error in made}


def plant(scan: ModuleType) -> None:
    """Makes the scan's reading and hashing raise at tables that ask for it."""
    planted = errors()
    read, hashes = scan.read_split, scan.row_hashes

    def read_split(storage: Any, split: Any, columns: Any) -> Any:
        word, _, name = split.file.path.removesuffix(".parquet").partition(" ")
        if word == "read":
            raise planted[name]
        if word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return read(storage, split, columns)

    def row_hashes(batch: Any, *more: Any) -> Any:
        for value in batch.column(0).to_pylist():
            if str(value).startswith("hash "):
                raise planted[str(value).removeprefix("hash ")]
        return hashes(batch, *more)

    scan.read_split, scan.row_hashes = read_split, row_hashes  # type: ignore[attr-defined]


class Planting(MetaPathFinder):
    """Finds the scan's module as Python does, and plants the errors once it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of the scan's module with its loader changed; None for any other."""
        if name != "r2d2.engines.scan":
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def loaded(module: ModuleType) -> None:
            load(module)
            plant(module)

        spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Planting())
