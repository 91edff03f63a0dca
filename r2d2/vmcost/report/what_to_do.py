"""Actions that make an application cheaper, the largest saving first, each with its money.

Advice that was modelled says what it saves. Besides, each part of the money that did no work is
bounded by itself: nobody can save more of it than it cost, and the text says what makes it smaller.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from r2d2.vmcost.report.figures import Data, duration, money, share

LEAST_SHARE = 0.02
"""A part of less than a fiftieth of the money is not worth a line."""
SKEWED = 2.0
"""From so many times the median task's time on, a stage's slowest task is named."""
REMEDIES: Mapping[str, str] = {
    "idle_between_jobs": (
        "let executors go while no job runs: dynamic allocation, a shorter time-out, or a smaller"
        " cluster"
    ),
    "idle_in_jobs": "fewer cores, or more and more even tasks: cores waited while a job ran",
    "start_up": "start-up: a warm pool, or several jobs to one cluster",
    "failed": "find out why tasks failed or were killed: their work was paid twice",
    "stranded": "executors whose cores fill the VM: no executor owned these",
    "rounding": "run longer on fewer VMs: it ended before the billing minimum or quantum did",
    "driver": "a smaller VM for the driver, or one that several applications share",
}
"""What makes each part of the money smaller."""


def actions(application: Data, runs_per_month: float) -> list[dict[str, Any]]:
    """What to do, by what it saves; `basis` is modelled, or at most where a part bounds it."""
    found = [*_advised(application), *_bounded(application)]
    found.sort(key=lambda action: (-action["saving_usd"], action["kind"]))
    ids = {name: application[name] for name in ("application_id", "attempt", "name")}
    return [
        {**ids, **action, "saving_usd_per_month": action["saving_usd"] * runs_per_month}
        for action in found
    ]


def largest(applications: Sequence[Data], runs_per_month: float) -> list[dict[str, Any]]:
    """What to do about all of them: one row for a kind and a name, over its runs, by what it saves.

    The text is that of the run in which it saves most.
    """
    same: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    runs = Counter(application["name"] for application in applications)
    for application in applications:
        for action in application["what_to_do"]:
            same[action["name"], action["kind"]].append(action)
    rows = []
    for (name, _), actions_of_kind in same.items():
        most = max(actions_of_kind, key=lambda action: float(action["saving_usd"]))
        saving_usd = sum(action["saving_usd"] for action in actions_of_kind)
        month = {"saving_usd_per_month": saving_usd / runs[name] * runs_per_month}
        rows.append({**most, "runs": runs[name], "saving_usd": saving_usd, **month})
    return sorted(rows, key=lambda row: (-row["saving_usd_per_month"], row["name"], row["kind"]))


def _advised(application: Data) -> Iterator[dict[str, Any]]:
    """Advice that is cheaper than today."""
    for advice in application["advice"]:
        if (advice.get("saving_usd") or 0) > 0:
            yield {
                "kind": advice["kind"],
                "told": advice["told"],
                "saving_usd": advice["saving_usd"],
                "basis": "modelled",
            }


def _bounded(application: Data) -> Iterator[dict[str, Any]]:
    """The parts of the money that did no work, each with its remedy."""
    whole = application["usd"]
    for part, usd in (application["money"] or {}).items():
        if part not in REMEDIES or not whole or usd < LEAST_SHARE * whole:
            continue
        told = f"{REMEDIES[part]} ({money(usd, whole)}, {share(usd / whole)} of the money)"
        if part == "idle_in_jobs":
            told += _skewed(application["by_stage"])
        yield {"kind": part, "told": told, "saving_usd": usd, "basis": "at most"}


def _skewed(stages: Sequence[Data]) -> str:
    """The stage whose slowest task ran longest beyond the median, where it is skewed."""
    skewed = [stage for stage in stages if (stage.get("skew") or 0) >= SKEWED]
    worst = max(skewed, key=lambda stage: stage["straggling_s"], default=None)
    if worst is None:
        return ""
    return (
        f"; in stage {worst['stage']} the slowest task took {duration(worst['task_max_s'])},"
        f" the median one {duration(worst['task_median_s'])}"
    )
