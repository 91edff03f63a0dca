"""Where r2d2 and the brute force differ on one lake, told so that it can be run again."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.oracle import brute_force
from tests.support.oracle.asking import Answer, ask
from tests.support.oracle.brute_force import Counts, Pair
from tests.support.oracle.reading import read_lake

STAGES: tuple[Mapping[str, Any], ...] = (
    {},
    {"stages": ("schema", "exact")},
    {"stages": ("schema", "metadata", "exact")},
    {"stages": ("schema", "sketch", "exact"), "sketch_size": 4},
    {"stages": ("schema", "sketch", "exact"), "sketch_size": 1},
    {"stages": ("schema", "sample", "exact"), "sample_rows": 3},
    {"stages": ("schema", "metadata", "sample", "sketch", "exact"), "sketch_size": 3},
)


def fractions(pairs: Mapping[Pair, Counts]) -> list[float]:
    """Thresholds worth trying: all, whatever shares a row, and one that a pair attains exactly,
    if possible one whose product with the pair's rows is rounded up.
    """
    near = [(rows, missing) for rows, missing in pairs.values() if 0 < missing < rows]
    near.sort(key=lambda c: (brute_force.fraction(*c) * c[0] > c[0] - c[1], c))
    return [1.0, 1e-9, *(brute_force.fraction(*counts) for counts in near[-1:])]


def disagreements(
    lake: Path, types: str, stages: Sequence[Mapping[str, Any]] = (), engine: str = "local"
) -> Iterator[str]:
    """One line for each pair that r2d2 judges otherwise, under the stages given or else all."""
    pairs = brute_force.judge(lake, widened=types == "widened")
    for settings in stages or STAGES:
        for fraction in fractions(pairs):
            asked = {"types": types, "min_fraction": fraction, **settings}
            for line in differences(pairs, ask(lake, engine, **asked), fraction):
                yield f"{asked}: {line}"


def differences(pairs: Mapping[Pair, Counts], answer: Answer, fraction: float) -> Iterator[str]:
    """One line for each pair that the answer has otherwise than the truth."""
    for table, problem in answer.problems.items():
        if any(table in pair for pair in pairs):
            yield f"{table}: {problem}"
    true = {
        pair: (brute_force.fraction(*counts), counts[1])
        for pair, counts in brute_force.edges(pairs, fraction).items()
    }
    for child, parent in sorted(true.keys() | answer.edges.keys()):
        want, got = true.get((child, parent)), answer.edges.get((child, parent))
        if want != got:
            yield f"{child} in {parent}: true is {want}, r2d2 says {got}"
    for title, wanted, found in (
        ("degenerate", brute_force.degenerate(pairs), answer.degenerate),
        ("equal", brute_force.equal(pairs), answer.equal),
    ):
        for child, parent in sorted(wanted ^ found):
            yield f"{child} in {parent}: {title} is {(child, parent) in wanted}"


def told(lake: Path, lines: list[str], stories: Mapping[str, str], types: str) -> str:
    """The lines, and for the first one the two tables with their stories and rows."""
    tables = read_lake(lake, widened=types == "widened")
    shown = [f"\n{len(lines)} disagreements on {lake} ({types}):", *lines[:20]]
    for location in [name for name in stories if name in lines[0]]:
        shown.append(f"\n{location}: {stories[location]}")
        if location in tables:
            rows = tables[location]
            shown.append(f"  {dict(rows.kinds)}")
            shown += [f"  {row}" for row in zip(*rows.columns.values(), strict=True)]
    return "\n".join(shown)
