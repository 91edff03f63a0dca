"""What must hold between two plans of one lake: edges found, recipes proposed, the choice made.

500 random lakes, and what was seen on them, with

    R2D2_RANDOM_GRAPHS=500 python -m pytest -q -s tests/plan/test_whole_plans_metamorphic.py
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from glob import escape
from random import Random

import pytest

from r2d2.plan.costs import Costing
from r2d2.plan.planner import SolvedPlan, choose
from r2d2.plan.program import verify
from r2d2.plan.usage import Usage
from r2d2.settings.plan import Latency, Limit, PlanLimits, PlanSettings, Prices, Protection, Rates
from tests.support.plan.learnt_lakes import Learnt, learnt

LAKES = int(os.environ.get("R2D2_RANDOM_GRAPHS", "60"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A lake, the settings and the usage that it is planned with, and chance for what changes."""

    lake: Learnt
    settings: PlanSettings
    usage: dict[str, Usage]
    chance: Random

    def planned(self, settings: PlanSettings) -> SolvedPlan:
        planned = choose(self.lake.known, settings, self.usage, None)
        solution = planned.solution
        assert not verify(planned.problem, solution.choices, solution.cost_usd_per_month)
        return planned


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> list[Learnt]:
    folder = tmp_path_factory.mktemp("lakes")
    found = [learnt(seed, folder) for seed in range(LAKES)]
    recipes = Counter(type(c.recipe).__name__ for lake in found for c in lake.known.recipes)
    print(f"\n{LAKES} lakes, {sum(bool(lake.known.recipes) for lake in found)} with recipes:")
    print(f"  {', '.join(f'{count} {kind}' for kind, count in recipes.most_common())}")
    return found


def asked(lake: Learnt) -> Asked:
    """Settings under which some of the lake's tables of a few KB go and some stay.

    Rebuilding takes half a second for each KB that is read, and a second costs 3 cents.
    """
    chance = Random(lake.seed)
    usage = {
        location: Usage(1, location, chance.choice([0.0, 0.01, 1.0, 10.0]))
        for location in lake.tables
    }
    settings = PlanSettings(
        prices=Prices(storage_usd_per_gb_month=10 ** chance.uniform(3, 6), vm_usd_per_hour=100.0),
        rates=Rates(start_up_p95_s=1.0, read_p50_s_per_gb=5e5, read_p95_s_per_gb=1e6),
        latency=Latency(chance.choice([3.0, 10.0, 3600.0])),
        plan=PlanLimits(chance.choice([1.0, 1.0, 0.5]), 0.0, 0.0),
        protect=tuple(
            Protection(escape(location), "kept")
            for location in lake.tables
            if chance.random() < 0.1
        ),
    )
    return Asked(lake, settings, usage, chance)


def tally(name: str, seen: Sequence[tuple[bool, bool]]) -> None:
    deleting, differing = (sum(pair[place] for pair in seen) for place in (0, 1))
    print(f"{name}: {len(seen)} lakes, {deleting} plans delete, {differing} plans changed")


def options_of(planned: SolvedPlan) -> set[int]:
    return {c.option for c in planned.solution.choices if c.option is not None}


def never_cheaper(
    name: str, lakes: Sequence[Learnt], change: Callable[[Asked, SolvedPlan], PlanSettings]
) -> None:
    """Whatever the change, the plan costs as much as before or more."""
    seen = []
    for lake in lakes:
        case = asked(lake)
        before = case.planned(case.settings)
        after = case.planned(change(case, before))
        costs = [p.solution.cost_usd_per_month for p in (before, after)]
        assert costs[1] >= costs[0] * (1 - 1e-9), f"seed {lake.seed}: {costs}"
        seen.append((bool(options_of(before)), options_of(before) != options_of(after)))
    tally(name, seen)


def test_tightening_a_limit_never_lowers_the_cost(lakes: list[Learnt]) -> None:
    def tightened(case: Asked, before: SolvedPlan) -> PlanSettings:
        table = one_of(case, before)
        limit_s = case.chance.choice([0.0, 2.0, case.settings.limit_s(table) / 2])
        tighter = Limit(escape(table), min(limit_s, case.settings.limit_s(table)))
        return replace(case.settings, limit=(*case.settings.limit, tighter))

    never_cheaper("a limit tightened", lakes, tightened)


def test_protecting_a_table_never_lowers_the_cost(lakes: list[Learnt]) -> None:
    def protected(case: Asked, before: SolvedPlan) -> PlanSettings:
        more = Protection(escape(one_of(case, before)), "asked for")
        return replace(case.settings, protect=(*case.settings.protect, more))

    never_cheaper("a table protected", lakes, protected)


def one_of(case: Asked, planned: SolvedPlan) -> str:
    """A table, of those that are deleted where there are any."""
    gone = sorted(planned.known.recipes[number].child for number in options_of(planned))
    return case.chance.choice(gone or sorted(case.lake.tables))


def test_raising_the_storage_price_never_keeps_more_bytes(lakes: list[Learnt]) -> None:
    """A theorem, see `tests/plan/program/test_metamorphic.py`; residuals are kept bytes too."""
    seen = []
    for lake in lakes:
        case = asked(lake)
        prices = case.settings.prices
        dear = prices.storage_usd_per_gb_month * 10 ** case.chance.uniform(0.1, 2)
        raised = replace(case.settings, prices=replace(prices, storage_usd_per_gb_month=dear))
        plans = [case.planned(settings) for settings in (case.settings, raised)]
        before, after = (kept_bytes(planned) for planned in plans)
        assert after <= before, f"seed {lake.seed}: {before} bytes, then {after}"
        seen.append((bool(options_of(plans[0])), after < before))
    tally("storage dearer", seen)


def kept_bytes(planned: SolvedPlan) -> int:
    """The bytes of the tables that stay and of what the recipes keep aside."""
    costing: Costing = planned.costing
    return sum(
        table.size_bytes
        if choice.option is None
        else costing.rebuild(planned.known.recipes[choice.option]).residual_bytes
        for table, choice in zip(planned.problem.tables, planned.solution.choices, strict=True)
    )
