"""A larger table that stays is not asked for what a smaller one gives back: no plan gets dearer.

More lakes, and what was seen on them, with

    R2D2_RANDOM_GRAPHS=200 python -m pytest -q -s tests/plan/test_spare_parents.py
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from glob import escape
from pathlib import Path
from random import Random
from string import ascii_lowercase

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.engines.local.recipes import LocalRecipes
from r2d2.plan import requests
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.plan.planner import KnownRecipes, choose, learn
from r2d2.progress import Silence
from r2d2.recipes.find import SMALLER_PARENT_SERVES
from r2d2.report import write_find
from r2d2.settings.plan import Latency, PlanLimits, PlanSettings, Prices, Protection, Rates
from r2d2.storage import storage_of

LAKES = int(os.environ.get("R2D2_RANDOM_GRAPHS", "20"))
PLANS = 10


def rows_of(ids: list[int]) -> pa.Table:
    columns = {"id": ids, "day": [i // 10 for i in ids], "kind": [f"kind {i % 7}" for i in ids]}
    return pa.table(columns)


def make_lake(folder: Path, chance: Random) -> None:
    """Several large tables, some of them copies, that share the rows of many small ones."""
    folder.mkdir()
    shared = list(range(chance.randint(60, 120)))
    tops = []
    for place in range(chance.randint(2, 4)):
        own = [1000 * (place + 1) + i for i in range(chance.randint(0, 200))]
        tops.append(rows_of([*shared, *own]))
        for copy in range(chance.choice([1, 1, 2])):
            pq.write_table(tops[-1], folder / f"top_{ascii_lowercase[place]}_copy_{copy}.parquet")
    for place in range(chance.randint(4, 8)):
        kept = chance.sample(shared, len(shared) // 2)
        first = chance.randint(0, 4)
        days = [i for i in shared if first <= i // 10 <= first + chance.randint(1, 3)]
        rows = rows_of(sorted(chance.choice([kept, days, shared])))
        columns = chance.choice([["id", "day", "kind"], ["day", "id"], ["kind", "day"]])
        pq.write_table(rows.select(columns), folder / f"small_{ascii_lowercase[place]}.parquet")


def known_of(lake: Path, run: Path) -> KnownRecipes:
    graph = load_graph(run)
    storage = storage_of(str(lake))
    tables = tables_now(run, graph, storage)
    return learn(graph, tables, LocalRecipes(storage, graph.settings), Silence())


def settings_of(chance: Random, known: KnownRecipes) -> Iterator[PlanSettings]:
    for _ in range(PLANS):
        yield PlanSettings(
            prices=Prices(storage_usd_per_gb_month=10 ** chance.uniform(2, 7), vm_usd_per_hour=100),
            rates=Rates(start_up_p95_s=1.0, read_p50_s_per_gb=5e5, read_p95_s_per_gb=1e6),
            latency=Latency(chance.choice([2.0, 4.0, 10.0, 3600.0])),
            plan=PlanLimits(1.0, 0.0, 0.0),
            protect=tuple(
                Protection(escape(location), "kept")
                for location in known.facts
                if chance.random() < chance.choice([0, 0.1, 0.3])
            ),
        )


def test_no_plan_is_dearer_for_the_parents_that_were_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = requests._edges_to_search
    spare = deleted = 0
    for seed in range(LAKES):
        chance = Random(seed)
        lake, run = tmp_path / f"lake{seed}", tmp_path / f"run{seed}"
        make_lake(lake, chance)
        settings = r2d2.Settings(min_fraction=chance.choice([1.0, 0.5]))
        write_find(run, r2d2.find(lake, settings), settings, str(lake))
        asked = known_of(lake, run)
        with monkeypatch.context() as patch:
            patch.setattr(
                requests,
                "_edges_to_search",
                lambda *a: ([(e, False) for e, _ in own] for own in ask(*a)),
            )
            every = known_of(lake, run)
        assert SMALLER_PARENT_SERVES not in every.refused
        spare += asked.refused.get(SMALLER_PARENT_SERVES, 0)
        for costs in settings_of(chance, asked):
            one, other = (choose(known, costs, {}, None).solution for known in (asked, every))
            deleted += sum(choice.option is not None for choice in one.choices)
            assert one.cost_usd_per_month == pytest.approx(other.cost_usd_per_month, rel=1e-9), seed
    print(f"\n{LAKES} lakes, {spare} parents not asked, {deleted} tables deleted")
    assert spare > LAKES
    assert deleted > LAKES


def test_what_find_counted_says_of_copies_is_what_reading_them_says(tmp_path: Path) -> None:
    copies = 0
    for seed in range(LAKES):
        lake, run = tmp_path / f"lake{seed}", tmp_path / f"run{seed}"
        make_lake(lake, Random(seed))
        write_find(run, r2d2.find(lake), r2d2.Settings(), str(lake))
        graph = load_graph(run)
        storage = storage_of(str(lake))
        tables = tables_now(run, graph, storage)
        read = replace(graph, edges=tuple(replace(e, distinct_rows=None) for e in graph.edges))
        told, seen = (
            learn(one, tables, LocalRecipes(storage, graph.settings), Silence())
            for one in (graph, read)
        )
        copies += sum(edge.same_rows for edge in graph.edges)
        assert set(told.recipes) <= set(seen.recipes)
    assert copies > LAKES
