"""One-to-one assignments of a child's columns to a parent's, best first (Murty, Oper. Res. 1968)."""

import heapq
from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]
FORBIDDEN = -np.inf


def assignments(weights: Weights, most: int) -> list[tuple[int, ...]]:
    """At most so many assignments of all rows to distinct columns, by falling sum of weights.

    >>> assignments(np.array([[2.0, 1.0], [1.0, FORBIDDEN]]), 8)
    [(1, 0)]
    """
    return list(islice(_best_first(settled(weights)), most))


def settled(weights: Weights) -> Weights:
    """The weights without what cannot be: a row's only column is taken from all other rows."""
    weights = weights.copy()
    done: set[int] = set()
    while True:
        options = weights > FORBIDDEN
        single = [row for row in np.flatnonzero(options.sum(axis=1) == 1) if row not in done]
        if not single:
            return weights
        for row in single:
            column = int(options[row].argmax())
            kept = weights[row, column]
            weights[:, column] = FORBIDDEN
            weights[row, column] = kept
            done.add(row)


def _best_first(weights: Weights) -> Iterator[tuple[int, ...]]:
    order = count()
    heap = [(-value, next(order), columns, weights) for value, columns in _best(weights)]
    while heap:
        _, _, columns, open_ = heapq.heappop(heap)
        yield columns
        for part in _parts(open_, columns):
            for value, others in _best(part):
                heapq.heappush(heap, (-value, next(order), others, part))


def _best(weights: Weights) -> list[tuple[float, tuple[int, ...]]]:
    """The best assignment with its value, or none where there is no assignment."""
    from scipy.optimize import linear_sum_assignment

    if not (weights > FORBIDDEN).any(axis=1).all() or len(weights) > weights.shape[1]:
        return []
    try:
        rows, columns = linear_sum_assignment(weights, maximize=True)
    except ValueError:
        return []
    return [(float(weights[rows, columns].sum()), tuple(columns.tolist()))]


def _parts(weights: Weights, columns: tuple[int, ...]) -> Iterator[Weights]:
    """What else is open, cut in parts: the first rows as assigned, the next one otherwise."""
    fixed = weights.copy()
    for row, column in enumerate(columns):
        if (fixed[row] > FORBIDDEN).sum() > 1:
            part = fixed.copy()
            part[row, column] = FORBIDDEN
            yield part
        kept = fixed[row, column]
        fixed[row] = FORBIDDEN
        fixed[:, column] = FORBIDDEN
        fixed[row, column] = kept
