"""The runs of a scan: in memory up to a budget, beyond it in a scratch folder, read as needed."""

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from r2d2.kernels.mix import Lanes
from r2d2.kernels.runs import empty_run, merge
from r2d2.lake.protocol import Projection

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
        self._runs: dict[Projection, list[Lanes]] = defaultdict(list)
        self._held = 0
        self._files = 0
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def put(self, key: Projection, run: Lanes) -> None:
        """Keeps a run; several runs of a projection are taken together when read."""
        if self._held + len(run) * BYTES_PER_ROW > self._memory_bytes:
            run = self._spilled(run)
        else:
            self._held += len(run) * BYTES_PER_ROW
        self._runs[key].append(run)

    def __contains__(self, key: Projection) -> bool:
        return key in self._runs

    def rows(self, key: Projection) -> int:
        """At most how many distinct rows the projection has."""
        return sum(map(len, self._runs.get(key, ())))

    def slice(self, key: Projection, part: int, parts: int) -> Lanes:
        """The projection's distinct hashes in the given one of equal ranges of hashes."""
        runs = self._runs.get(key, [])
        if parts == 1:
            if len(runs) > 1:
                runs[:] = [merge(runs)]
            return runs[0] if runs else empty_run()
        return merge([_range(run, part, parts) for run in runs])

    def smallest(self, key: Projection, size: int) -> Lanes:
        """The projection's `size` smallest hashes."""
        runs = self._runs.get(key, ())
        if len(runs) == 1:
            return runs[0] if len(runs[0]) <= size else runs[0].part(0, size)
        return merge([run.part(0, size) for run in runs]).part(0, size)

    def close(self) -> None:
        """Forgets all runs and removes the scratch folder."""
        self._runs.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            _folders.discard(self._scratch)
            self._scratch = None

    def _spilled(self, run: Lanes) -> Lanes:
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="r2d2-runs-")
            _folders.add(self._scratch)
        path = Path(self._scratch.name) / str(self._files)
        self._files += 1
        np.concatenate((run.first, run.second)).tofile(path)
        lanes = np.memmap(path, np.uint64, "r") if len(run) else np.empty(0, np.uint64)
        return Lanes(lanes[: len(run)], lanes[len(run) :])


def _range(run: Lanes, part: int, parts: int) -> Lanes:
    first = run.first
    limits = [np.uint64((number << 64) // parts) for number in (part, part + 1) if number < parts]
    start, *ends = np.searchsorted(first, np.array(limits, np.uint64)).tolist()
    end = ends[0] if ends else len(first)
    return Lanes(np.asarray(first[start:end]), np.asarray(run.second[start:end]))
