"""The runs of a scan: in memory up to a budget, beyond it in a scratch folder, read as needed."""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import merge
from r2d2.lake.questions import Projection

BYTES_PER_ROW = 16

_folders: "set[tempfile.TemporaryDirectory[str]]" = set()


def remove_scratch() -> None:
    """Removes the scratch folders of every store that is still open."""
    while _folders:
        _folders.pop().cleanup()


class RunStore:
    """Runs by projection, one for each split that was scanned."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._runs: dict[Projection, list[Lanes | _Spilled]] = defaultdict(list)
        self._held = 0
        self._files = 0
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def put(self, key: Projection, run: Lanes) -> None:
        """Keeps a run; several runs of a projection are taken together when read."""
        size_bytes = len(run) * BYTES_PER_ROW
        if size_bytes and self._held + size_bytes > self._memory_bytes:
            self._runs[key].append(self._spilled(run))
        else:
            self._held += size_bytes
            self._runs[key].append(run)

    def __contains__(self, key: Projection) -> bool:
        return key in self._runs

    def rows(self, key: Projection) -> int:
        """At most how many distinct rows the projection has."""
        return sum(map(len, self._runs.get(key, ())))

    def slice(self, key: Projection, part: int, parts: int) -> Lanes:
        """The projection's distinct hashes in the given one of equal ranges of hashes."""
        runs = self._runs.get(key, [])
        if parts == 1 and len(runs) == 1 and isinstance(runs[0], Lanes):
            return runs[0]
        run = merge([_range(run, part, parts) for run in runs])
        if parts == 1 and all(isinstance(run, Lanes) for run in runs):
            runs[:] = [run]
        return run

    def smallest(self, key: Projection, size: int) -> Lanes:
        """The projection's `size` smallest hashes."""
        heads = [_head(run, size) for run in self._runs.get(key, ())]
        return heads[0] if len(heads) == 1 else merge(heads).part(0, size)

    def close(self) -> None:
        """Forgets all runs and removes the scratch folder."""
        self._runs.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            _folders.discard(self._scratch)
            self._scratch = None

    def _spilled(self, run: Lanes) -> "_Spilled":
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="r2d2-runs-")
            _folders.add(self._scratch)
        path = Path(self._scratch.name) / str(self._files)
        self._files += 1
        np.concatenate((run.first, run.second)).tofile(path)
        return _Spilled(path, len(run))


@dataclass(frozen=True, slots=True)
class _Spilled:
    """A run in a scratch file, mapped only while a part of it is copied."""

    path: Path
    rows: int

    def __len__(self) -> int:
        return self.rows

    def mapped(self) -> Lanes:
        lanes = np.memmap(self.path, np.uint64, "r")
        return Lanes(lanes[: self.rows], lanes[self.rows :])


def _head(run: Lanes | _Spilled, size: int) -> Lanes:
    if isinstance(run, _Spilled):
        return _copied(run.mapped().part(0, size))
    return run if len(run) <= size else run.part(0, size)


def _range(run: Lanes | _Spilled, part: int, parts: int) -> Lanes:
    lanes = run.mapped() if isinstance(run, _Spilled) else run
    limits = [np.uint64((number << 64) // parts) for number in (part, part + 1) if number < parts]
    start, *ends = np.searchsorted(lanes.first, np.array(limits, np.uint64)).tolist()
    found = lanes.part(start, ends[0] if ends else len(lanes))
    return _copied(found) if isinstance(run, _Spilled) else found


def _copied(lanes: Lanes) -> Lanes:
    return Lanes(np.array(lanes.first), np.array(lanes.second))
