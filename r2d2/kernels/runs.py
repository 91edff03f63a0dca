"""Runs of hashes, sorted by (first, second) and unique: all that is done with them, by one name."""

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import cut, empty_run, merge, smallest, sorted_unique, sorted_unique_each
from r2d2.hashing.sketch import Sketch, judged_by, merge_sketches, sketch
from r2d2.kernels.blob import from_bytes, to_bytes
from r2d2.kernels.lookup import count_missing, count_missing_each, present_mask

__all__ = [
    "Lanes",
    "Sketch",
    "count_missing",
    "count_missing_each",
    "cut",
    "empty_run",
    "from_bytes",
    "judged_by",
    "merge",
    "merge_sketches",
    "present_mask",
    "sketch",
    "smallest",
    "sorted_unique",
    "sorted_unique_each",
    "to_bytes",
]
