"""Runs of `find` and `plan` of any size, from a seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from r2d2.page.run_files import RunFiles, run_of_data
from r2d2.plan.plan_file import plain
from r2d2.settings.plan import PlanSettings, Prices, Rates

SETTINGS = PlanSettings(
    prices=Prices(date(2026, 11, 21), "a list", 0.02, vm_usd_per_hour=0.2),
    rates=Rates("assumed", vm_type="m5.xlarge", vm_count=4),
)
WORDS = ("orders", "events", "users", "invoices", "sessions", "payments", "stock", "routes")
ENDINGS = (".parquet", "", ".csv", ".orc")
REASON = "{0} of {0} distinct child rows found"


def table_names(count: int, seed: int = 1) -> list[str]:
    """So many locations, in order, as a lake of many teams has them."""
    random_ = random.Random(seed)
    names: set[str] = set()
    while len(names) < count:
        team, word = random_.randrange(40), random_.choice(WORDS)
        day = f"{random_.randrange(2019, 2027)}-{random_.randrange(1, 13):02}"
        digits = f"{random_.randrange(10**4):04}"
        names.add(f"team{team:02}/{word}/{word}_{day}_{digits}{random_.choice(ENDINGS)}")
    return sorted(names)


def a_run(
    tables: int = 43,
    edges: int = 69,
    *,
    seed: int = 1,
    planned: bool = True,
    names: Sequence[str] = (),
    unreadable: int = 3,
) -> RunFiles:
    """A run with so many tables and edges, in families, each with a chain of parents."""
    random_ = random.Random(seed)
    names = sorted(names) or table_names(tables, seed)
    rows = [random_.randrange(1, 10**6) for _ in names]
    bad = set(random_.sample(range(len(names)), unreadable))
    pairs = _pairs(random_, rows, edges, bad)
    graph = {
        "hash_version": 1,
        "lake": "/lake",
        "settings": {},
        "skipped": {"no data file by its name": 6},
        "owners": {"looked_at": {"delta": 2}, "catalogues": "no catalogue was asked"},
        "tables": [_table(name, rows[n], n in bad) for n, name in enumerate(names)],
        "edges": [_edge(names, rows, *pair) for pair in sorted(pairs)],
        "equal": [],
        "degenerate": [],
        "open_pairs": 0,
        "warnings": [],
    }
    run = run_of_data(graph, [a_stage("schema", 9 * edges), a_stage("exact", edges)], "run")
    if not planned:
        return run
    plan = a_plan(random_, names, rows, pairs, bad)
    return RunFiles(run.name, run.graph, run.funnel, plan, run.made, ())


def _pairs(
    random_: random.Random, rows: Sequence[int], edges: int, bad: set[int]
) -> set[tuple[int, int]]:
    """Pairs within blocks of neighbours; the one with more rows is the parent."""
    pairs: set[tuple[int, int]] = set()
    block = max(8, 3 * edges // max(len(rows), 1))
    for _ in range(50 * edges):
        if len(pairs) == edges:
            break
        start = random_.randrange(0, len(rows), block)
        near = [n for n in range(start, min(start + block, len(rows))) if n not in bad]
        if len(near) > 1:
            child, parent = sorted(random_.sample(near, 2), key=lambda n: (rows[n], n))
            pairs.add((child, parent))
    return pairs


def _table(name: str, rows: int, bad: bool) -> dict[str, Any]:
    return {
        "location": name,
        "format": "parquet",
        "columns": [["id", "int64"], ["name", "string"]],
        "rows": None if bad else rows,
        "size_bytes": 37 * rows,
        "files": 1 + rows % 7,
        "snapshot": f"files:{rows:016x}",
        "problem": f"{name}: a page is damaged" if bad else None,
        "unreadable": bad,
        "must_keep": None,
        "details": {"compression": "zstd"},
    }


def _edge(names: Sequence[str], rows: Sequence[int], child: int, parent: int) -> dict[str, Any]:
    return {
        "child": names[child],
        "parent": names[parent],
        "fraction": 1.0,
        "missing_rows": 0,
        "equal": False,
        "stage": "exact",
        "columns": {"id": "id", "name": "name"},
        "evidence": [["exact", "proved", REASON.format(rows[child])]],
    }


def a_stage(name: str, pairs: int) -> dict[str, Any]:
    """A row of a funnel."""
    return {
        **{"stage": name, "pairs": pairs, "refuted": pairs // 3, "proved": 0, "left": pairs},
        **{"bytes_read": pairs * 1000, "rows_read": pairs * 70, "seconds": 1.25},
        **{"core_seconds": 2.5, "reasons": {"a child row is missing": pairs // 3}},
    }


def a_plan(
    random_: random.Random,
    names: Sequence[str],
    rows: Sequence[int],
    pairs: set[tuple[int, int]],
    bad: set[int],
) -> dict[str, Any]:
    """A plan that deletes the children of these pairs whose parent stays."""
    parents = dict(sorted(pairs))
    entries, gone = [], set()
    for n, name in enumerate(names):
        parent = parents.get(n)
        if parent is not None and parent not in gone:
            gone.add(n)
        entries.append(_entry(random_, name, rows[n], names[parent] if n in gone else None))
    deleted = [entry for entry in entries if entry["choice"] == "delete"]
    saving_usd = sum(entry["saving_usd_per_month"] for entry in deleted)
    return {
        "tables": entries,
        "totals": {
            **{"tables": len(names), "deleted": len(deleted), "bytes": 37 * sum(rows)},
            "freed_bytes": sum(entry["frees_bytes"] for entry in deleted),
            **{"keep_all_usd_per_month": 2 * saving_usd, "saving_usd_per_month": saving_usd},
            **{"saving_usd_per_year": 12 * saving_usd, "work_seconds": 71.5, "work_usd": 0.02},
            **{"payback_months": 0.1, "residual_bytes": 0, "deleted_reads_assumed": 1},
            "below_min_saving": 0,
            **{"saving_at_least_usd_per_month": saving_usd / 2},
            **{"saving_at_most_usd_per_month": saving_usd, "edges_without_recipe": {}},
        },
        "solver": {"status": "optimal", "name": "highs", "version": "1", "options": len(pairs)},
        "settings": plain(asdict(SETTINGS)),
        "warnings": [],
    }


def _entry(random_: random.Random, name: str, rows: int, parent: str | None) -> dict[str, Any]:
    usd = rows * 37 / 1e9 * random_.uniform(0.9, 1.1)
    usage: Mapping[str, Any] = {
        **{"assumed": rows % 3 == 0, "unread": False, "reads_per_month": float(rows % 40)},
        **{"last_read": "2026-10-01" if rows % 2 else None, "consumers": None},
        "consumer_names": [f"dashboard {rows % 9}"] if rows % 5 == 0 else [],
    }
    entry: dict[str, Any] = {
        **{"table": name, "choice": "keep", "reason": "no recipe rebuilds it from another table"},
        **{"must_keep": None, "tenant": None, "parents": [], "recipe": None, "usage": usage},
        **{"keep_usd_per_month": usd, "saving_usd_per_month": 0.0, "rebuild_p95_s": None},
        **{"latency_limit_s": 3600.0, "size_bytes": 37 * rows, "frees_bytes": 37 * rows},
    }
    if parent is None:
        return entry
    value = {"type": "string", "text": f"secret {rows}"}
    return entry | {
        **{"choice": "delete", "reason": f"it can be rebuilt from {parent} in 120 s"},
        **{"parents": [parent], "saving_usd_per_month": usd * 0.9, "way": "rebuild"},
        "recipe": {
            **{"kind": "select", "parent": parent, "columns": [{"name": "id", "from": ["id"]}]},
            "where": [{"kind": "equals", "path": ["country"], "value": value}],
        },
        **{"rebuild_usd_per_month": usd * 0.1, "rebuild_p95_s": 120 + rows / 1e5},
        "evidence": {
            **{"run": True, "rows": rows, "seconds": rows / 1e6, "residual_bytes": 0},
            "survives": {parent: {"append": "never", "delete": "never", "rewrite": "always"}},
        },
        **{"layout": {"not_restored": []}, "copy_that_stays": None},
        **{"saving_at_least_usd_per_month": usd / 2, "saving_at_most_usd_per_month": usd},
    }
