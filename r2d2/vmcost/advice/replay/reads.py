"""Whose shuffle output a stage attempt reads, also where the log does not name the stage.

Where output is there already, Spark skips the stage that would make it: the job that reads it
names a parent that never ran, under an id of its own. Adaptive plans do so at every shuffle. Such a
parent is taken to be the stage that ended last before, wrote shuffle output and has no reader yet.
"""

from collections.abc import Mapping, Sequence

from r2d2.vmcost.advice.replay.from_log import Attempt


def by_stage(attempts: Sequence[Attempt]) -> dict[int, list[int]]:
    """The positions of each stage's attempts, in order of submission."""
    positions: dict[int, list[int]] = {}
    for position, attempt in enumerate(attempts):
        positions.setdefault(attempt.stage.id, []).append(position)
    return positions


def reads_of(
    attempts: Sequence[Attempt], positions: Mapping[int, Sequence[int]]
) -> list[tuple[int, ...]]:
    """Of each attempt the positions of the attempts that it reads, in order."""
    reads: list[tuple[int, ...]] = []
    unread: list[int] = []
    for position, attempt in enumerate(attempts):
        ran = [
            max(other for other in positions[parent] if other < position)
            for parent in attempt.stage.parents
            if positions.get(parent, [position])[0] < position
        ]
        skipped = len(attempt.stage.parents) - len(ran)
        ended = [other for other in unread if attempts[other].end_ms <= attempt.start_ms]
        ended.sort(key=lambda other: (attempts[other].end_ms, other))
        ran += [other for other in ended[max(0, len(ended) - skipped) :] if other not in ran]
        unread = [other for other in unread if other not in ran]
        if attempt.tasks["shuffle_write_bytes"].any():
            unread.append(position)
        reads.append(tuple(sorted(ran)))
    return reads
