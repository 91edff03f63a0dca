"""The lakes to run on: where they are, or how they are made."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class BenchmarkLake:
    """A folder of Parquet tables; `recipe` is the module that makes it, with its arguments."""

    name: str
    folder: Path
    recipe: tuple[str, ...] = ()


def known(work: Path, shared: Path) -> dict[str, BenchmarkLake]:
    """The lakes by name."""
    lakes = (
        BenchmarkLake("dev", shared / "lakes/dev/parquet"),
        lineitem(work, 1.0, "tpch"),
        BenchmarkLake("snapshots", work / "snapshots", ("snapshots",)),
        BenchmarkLake("snapshots-moving", work / "moving", ("snapshots", "--closed", "0")),
        BenchmarkLake("shapes", work / "shapes", ("small_tables", "shapes")),
        BenchmarkLake("pairs", work / "pairs", ("small_tables", "pairs")),
        BenchmarkLake("drift", work / "drift", ("small_tables", "drift")),
    )
    return {lake.name: lake for lake in lakes}


def lineitem(work: Path, scale: float, name: str) -> BenchmarkLake:
    """A lake around lineitem at a scale."""
    return BenchmarkLake(name, work / f"lineitem_{scale}", ("lineitem", "--scale", str(scale)))


def ready(lake: BenchmarkLake) -> BenchmarkLake:
    """The lake, made if need be, and in the file cache as far as it has room.

    It is made by another process, so that this one stays small, and under another name, so that
    a folder with the right name is whole.

    Raises:
        BenchmarkError: it is neither there nor can be made.
    """
    if not lake.folder.is_dir():
        if not lake.recipe:
            raise BenchmarkError(f"no lake at {lake.folder}: give --shared")
        made = lake.folder.with_name(lake.folder.name + ".partial")
        make(lake.recipe, made)
        made.rename(lake.folder)
    return lake


def make(recipe: Sequence[str], folder: Path) -> None:
    """Run a recipe into a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    module, *options = recipe
    command = [sys.executable, "-m", f"benchmarks.{module}", str(folder), *options]
    print(f"making {folder.stem} …", file=sys.stderr, flush=True)
    if subprocess.run(command, check=False).returncode:
        raise BenchmarkError(f"{' '.join(command[1:])} failed")


def size_bytes(lake: BenchmarkLake) -> int:
    """The bytes of the lake's tables; reads them, so that no contender pays for a cold cache."""
    total = 0
    for path in sorted(lake.folder.rglob("*.parquet")):
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(1 << 22):
                total += len(chunk)
    return total
