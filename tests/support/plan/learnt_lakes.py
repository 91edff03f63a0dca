"""What a plan learns of random small lakes, the same for the same seed."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import r2d2
from r2d2.engines.local.recipes import LocalRecipes
from r2d2.lake.inventory import take_inventory
from r2d2.model import Table, Types
from r2d2.plan.graph_file import load_graph
from r2d2.plan.planner import KnownRecipes, learn
from r2d2.progress import Silence
from r2d2.report import write_find
from r2d2.storage import storage_of
from tests.support.oracle.random_lakes import make_lake


@dataclass(frozen=True, slots=True)
class Learnt:
    """A lake on disk, and the recipes that were found for its tables."""

    seed: int
    tables: dict[str, Table]
    known: KnownRecipes


def found(seed: int, folder: Path) -> r2d2.Settings:
    """Makes the lake of the seed in `lakeSEED` and finds its edges, for a plan in `runSEED`.

    Half of the lakes are asked for near-containment too, a quarter under widened types.
    """
    chance = Random(seed)
    lake, run = folder / f"lake{seed}", folder / f"run{seed}"
    lake.mkdir()
    make_lake(lake, chance)
    settings = r2d2.Settings(
        min_fraction=chance.choice((1.0, 0.7)),
        types=chance.choice((Types.STRICT, Types.STRICT, Types.STRICT, Types.WIDENED)),
    )
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    return settings


def learnt(seed: int, folder: Path) -> Learnt:
    """What a plan learns of the lake of that seed, made below the folder."""
    settings = found(seed, folder)
    storage = storage_of(str(folder / f"lake{seed}"))
    tables = {table.location: table for table in take_inventory(storage, settings).tables}
    known = learn(
        load_graph(folder / f"run{seed}"), tables, LocalRecipes(storage, settings), Silence()
    )
    return Learnt(seed, tables, known)
