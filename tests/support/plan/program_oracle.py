"""The optimum by means that share no code with the solver: all subsets, and the chain program."""

import math

import numpy as np

from r2d2.plan.program import Problem


def enumerated_usd(problem: Problem) -> float:
    """The least cost over every set of kept tables that the rules allow; up to 12 tables or so."""
    kept_sets = np.arange(1 << len(problem.tables), dtype=np.int64)
    cost_usd = np.zeros(len(kept_sets))
    deleted_bytes = np.zeros(len(kept_sets), dtype=np.int64)
    for number, table in enumerate(problem.tables):
        rebuild_usd = np.full(len(kept_sets), math.inf)
        for option in problem.options:
            if option.child != number or option.struck or table.must_keep:
                continue
            if table.limit_s is not None and option.seconds > table.limit_s:
                continue
            saving_usd = table.keep_usd_per_month - option.usd_per_month
            if saving_usd < problem.min_saving_usd_per_month:
                continue
            parents = sum(1 << parent for parent in set(option.parents))
            rests = (kept_sets & parents) == parents
            rebuild_usd[rests] = np.minimum(rebuild_usd[rests], option.usd_per_month)
        kept = (kept_sets >> number) & 1 == 1
        cost_usd += np.where(kept, table.keep_usd_per_month, rebuild_usd)
        deleted_bytes += np.where(kept, 0, table.size_bytes)
    if problem.max_deleted_bytes is not None:
        cost_usd[deleted_bytes > problem.max_deleted_bytes] = math.inf
    keep_all_usd = math.fsum(table.keep_usd_per_month for table in problem.tables)
    too_little = keep_all_usd - cost_usd < problem.min_plan_saving_usd_per_month
    cost_usd[too_little] = keep_all_usd
    return float(cost_usd.min())


def chain_usd(keep: list[float], rebuild: list[list[float]]) -> float:
    """The least cost of a chain whose first table stays, in O(n²).

    f(0) = keep₀, f(i) = keepᵢ + min over j < i of f(j) + Σ over j < k < i of rebuild[j][k]: what
    tables 0 to i cost where i is kept, and j is the one kept before it.
    """
    count = len(keep)
    best = [keep[0]] + [math.inf] * count
    for j in range(count):
        between = 0.0
        for i in range(j + 1, count + 1):
            kept = keep[i] if i < count else 0.0
            best[i] = min(best[i], kept + best[j] + between)
            between += rebuild[j][i] if i < count else 0.0
    return best[count]
