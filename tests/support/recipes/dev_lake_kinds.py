"""The recipes of the dev lake's tables, by the operation that made each of them.

    python -m tests.support.recipes.dev_lake_kinds [parquet | csv] [--anywhere]

prints, for each operation, how many tables it made and the kind of recipe that is proposed for each
from the table it was made of. With `--anywhere` it is the plainest from any table of the lake, as a
plan is offered them, near-containment of 0.9 included. Needs the lakes beside the checkout.
"""

import csv
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import r2d2
from r2d2.engines.local.recipes import LocalRecipes
from r2d2.lake.inventory import take_inventory
from r2d2.model import Table
from r2d2.plan.graph_file import load_graph
from r2d2.plan.planner import KnownRecipes, learn
from r2d2.progress import Silence
from r2d2.recipes.find.request import ContainedTable, Request
from r2d2.recipes.grammar import Recipe
from r2d2.report import write_find
from r2d2.storage import storage_of
from tests.conftest import SHARED

Made = Mapping[str, str]
KINDS = ("project", "distinct", "select", "rows", "patch", "union", "none")
NAMED = ("filter", "project", "copy", "split_by_value", "only_null_rows")
WITHOUT_FILES = frozenset({"project", "distinct", "select", "union"})


def kinds_from_base(lake: Path, made: Iterable[Made], suffix: str) -> dict[str, str]:
    """The kind of recipe for each table from the one that it was made of."""
    storage, settings = storage_of(str(lake)), r2d2.Settings()
    tables = {t.location: t for t in take_inventory(storage, settings).tables}
    children: dict[str, list[ContainedTable]] = defaultdict(list)
    kinds = {}
    for row in made:
        own, base = (tables[f"{row[key]}.{suffix}"] for key in ("table", "base"))
        kinds[own.location] = "none"
        names = names_in(own, base)
        if names is not None:
            children[base.location].append(ContainedTable(own, names))
    families = [Request(tables[base], tuple(own)) for base, own in sorted(children.items())]
    for proposal in LocalRecipes(storage, settings).propose(families):
        kinds[proposal.child] = kind(proposal.recipe)
    return kinds


def names_in(own: Table, base: Table) -> dict[str, str] | None:
    """The base's column for each of the table's, None where it lacks one; case does not count."""
    there = {column.name.lower(): column.name for column in base.columns}
    names = {column.name: there.get(column.name.lower()) for column in own.columns}
    found = {name: other for name, other in names.items() if other is not None}
    return found if len(found) == len(names) else None


def known_anywhere(suffix: str) -> KnownRecipes:
    """What a plan of the whole lake is offered."""
    lake = SHARED / "lakes/dev" / suffix
    storage, settings = storage_of(str(lake)), r2d2.Settings(min_fraction=0.9)
    with TemporaryDirectory() as run:
        write_find(Path(run), r2d2.find(lake, settings), settings, str(lake))
        graph = load_graph(Path(run))
    tables = {t.location: t for t in take_inventory(storage, settings).tables}
    return learn(graph, tables, LocalRecipes(storage, settings), Silence())


def plainest_kinds(known: KnownRecipes, made: Iterable[Made], suffix: str) -> dict[str, str]:
    """The plainest kind of recipe that is known for each table."""
    kinds = {f"{row['table']}.{suffix}": "none" for row in made}
    for candidate in known.recipes:
        found = kind(candidate.recipe)
        if KINDS.index(found) < KINDS.index(kinds.get(candidate.child, KINDS[0])):
            kinds[candidate.child] = found
    return kinds


def kind(recipe: Recipe | None) -> str:
    """The recipe's name in lower case."""
    return "none" if recipe is None else type(recipe).__name__.lower()


def made_tables() -> list[Made]:
    """The manifest's lines of the tables that were made of others."""
    with open(SHARED / "lakes/truth/manifest_dev_derived.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["base"]]


def by_operation(suffix: str, known: KnownRecipes | None = None) -> dict[str, Counter[str]]:
    """How many tables of each operation have a recipe of each kind.

    It is the plainest of those known; without these, the one from the table that it was made of.
    """
    made = made_tables()
    if known is None:
        kinds = kinds_from_base(SHARED / "lakes/dev" / suffix, made, suffix)
    else:
        kinds = plainest_kinds(known, made, suffix)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in made:
        counts[row["op"]][kinds[f"{row['table']}.{suffix}"]] += 1
    return dict(sorted(counts.items()))


def check_kinds(counts: Mapping[str, Counter[str]], least: float) -> None:
    """Fails unless so large a share of what was filtered or projected needs no file, and more."""
    named: Counter[str] = sum(
        (found for operation, found in counts.items() if operation.startswith(NAMED)), Counter()
    )
    assert named.total() == 132
    assert sum(named[kind] for kind in WITHOUT_FILES) >= least * named.total()
    assert set(named) <= WITHOUT_FILES | {"rows"}
    # Of a sample of nine tenths it is shorter to list the others.
    assert counts["sample"] == Counter(rows=24, patch=8)


def main() -> None:
    """Prints the table."""
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("suffix", nargs="?", choices=("parquet", "csv"), default="parquet")
    arguments.add_argument("--anywhere", action="store_true")
    options = arguments.parse_args()
    known = known_anywhere(options.suffix) if options.anywhere else None
    counts = by_operation(options.suffix, known)
    counts["all"] = sum(counts.values(), Counter())
    print(f"{'operation':24}{'tables':>7}" + "".join(f"{name:>10}" for name in KINDS) + "   share")
    for operation, found in counts.items():
        share = sum(found[name] for name in WITHOUT_FILES) / found.total()
        cells = "".join(f"{found[name] or '':>10}" for name in KINDS)
        print(f"{operation:24}{found.total():>7}{cells}{share:>8.0%}")


if __name__ == "__main__":
    main()
