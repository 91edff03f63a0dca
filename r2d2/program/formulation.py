"""The model as PuLP knows it, in the order in which the package's docstring states it."""

from typing import Any

from pulp import LpAffineExpression, LpMinimize, LpProblem

from r2d2.plan.program.milp import Model

Variables = dict[int, Any]


def formulated(model: Model) -> tuple[Any, Variables]:
    """PuLP's program, and its variable for keeping each table.

    Only keeping is in whole numbers: where that is decided, a table's best share of options is
    its one cheapest, so that rebuilding is whole by itself. HiGHS takes half the time so.
    """
    program = LpProblem("r2d2", LpMinimize)
    keep = {t: program.add_variable(f"keep{t}", 0, 1, "Integer") for t in model.tables()}
    rebuild = {
        option.number: program.add_variable(f"rebuild{option.number}", 0, 1)
        for table in keep
        for option in model.usables[table]
    }
    program += _cost(model, keep, rebuild)
    for table in keep:
        for constraint in _choice(model, table, keep, rebuild):
            program += constraint
    for constraint in _cap(model, keep):
        program += constraint
    return program, keep


def _cost(model: Model, keep: Variables, rebuild: Variables) -> Any:
    scales = model.scales_usd()
    keeping = [
        (keep[table], model.problem.tables[table].keep_usd_per_month / scale)
        for table, scale in scales.items()
    ]
    rebuilding = [
        (rebuild[option.number], option.usd_per_month / scale)
        for table, scale in scales.items()
        for option in model.usables[table]
    ]
    return LpAffineExpression(keeping + rebuilding)


def _choice(model: Model, table: int, keep: Variables, rebuild: Variables) -> list[Any]:
    # A table's options on one parent share a constraint: it is tighter than one for each.
    one = [(keep[table], 1)]
    resting: dict[int, list[tuple[Any, int]]] = {}
    for option in model.usables[table]:
        one.append((rebuild[option.number], 1))
        for parent in sorted(option.parents):
            resting.setdefault(parent, [(keep[parent], -1)]).append((rebuild[option.number], 1))
    return [
        LpAffineExpression(one) == 1,
        *(LpAffineExpression(terms) <= 0 for terms in resting.values()),
    ]


def _cap(model: Model, keep: Variables) -> list[Any]:
    # In bytes kept, scaled by the greatest table: Σ keep · size ≥ all - cap.
    cap = model.problem.max_deleted_bytes
    if not model.capped or cap is None:
        return []
    sizes = {table: model.problem.tables[table].size_bytes for table in keep}
    least, scale = sum(sizes.values()) - cap, max(sizes.values())
    stay = LpAffineExpression([(keep[table], size / scale) for table, size in sizes.items()])
    covers = [LpAffineExpression([(keep[t], 1) for t in sorted(cover)]) for cover in model.covers]
    return [stay >= least / scale, *(cover >= 1 for cover in covers)]
