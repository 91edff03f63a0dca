"""Runs contenders on a lake in turns and sums up what each cost and found."""

import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.errors import BenchmarkError
from benchmarks.lakes import BenchmarkLake
from benchmarks.measure import Cost, measured

Edges = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A contender's runs on one lake; `failure` says why there are none or fewer."""

    contender: Contender
    costs: tuple[Cost, ...]
    edges: Edges
    failure: str = ""


def compare(
    lake: BenchmarkLake, contenders: Sequence[Contender], runs: int, once_s: float, work: Path
) -> list[Outcome]:
    """Each contender's outcome; runs go A B, A B, …; what takes longer than `once_s` runs once."""
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    failures: dict[str, str] = {}
    for turn in range(runs):
        for contender in contenders:
            done = costs[contender.name]
            if contender.name in failures or (done and done[0].wall_s > once_s):
                continue
            try:
                done.append(run(contender, lake, work))
            except BenchmarkError as error:
                failures[contender.name] = str(error)
            progress(lake, contender, turn, done, failures.get(contender.name))
    return [
        Outcome(
            contender,
            tuple(costs[contender.name]),
            contender.edges(folder_of(contender, work)) if costs[contender.name] else frozenset(),
            failures.get(contender.name, ""),
        )
        for contender in contenders
    ]


def run(contender: Contender, lake: BenchmarkLake, work: Path) -> Cost:
    """The cost of one run; its edges are in the contender's folder then."""
    folder = folder_of(contender, work)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / contender.edges_file).unlink(missing_ok=True)
    command = contender.command(lake.folder, folder)
    return measured(command, folder / "log.txt", contender.fine)


def folder_of(contender: Contender, work: Path) -> Path:
    """Where a contender writes."""
    return work / "out" / contender.name.replace(" ", "_")


def progress(
    lake: BenchmarkLake, contender: Contender, turn: int, done: Sequence[Cost], failure: str | None
) -> None:
    """One line to stderr for a run that ended."""
    result = failure or f"{done[-1].wall_s:.2f} s"
    busy = f"load {os.getloadavg()[0]:.1f}"
    print(f"  {lake.name} run {turn + 1} {contender.name}: {result} ({busy})", file=sys.stderr)


def ratios(
    outcome: Outcome, rivals: Sequence[Outcome], cost_of: Callable[[Cost], float]
) -> list[float]:
    """Turn by turn, the cost over the better rival's; a rival's last run stands for later ones."""
    by_turn = []
    for turn, cost in enumerate(outcome.costs):
        against = [cost_of(rival.costs[min(turn, len(rival.costs) - 1)]) for rival in rivals]
        if against:
            by_turn.append(cost_of(cost) / min(against))
    return by_turn


def agreement(outcomes: Sequence[Outcome]) -> Mapping[str, str]:
    """For each contender: the first rival's edges found, or how it differs, or why it failed."""
    rivals = [outcome for outcome in outcomes if outcome.contender.is_rival and outcome.costs]
    if not rivals:
        return {}
    expected = rivals[0].edges
    found = {}
    for outcome in outcomes:
        missing, extra = len(expected - outcome.edges), len(outcome.edges - expected)
        same = "same" if not missing and not extra else f"{missing} missing, {extra} extra"
        found[outcome.contender.name] = outcome.failure or same
    return found


def spread(values: Sequence[float], digits: int) -> str:
    """Median, with least and most where there are several."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return f"{middle} (1 run)"
    return f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"
