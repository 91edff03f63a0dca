"""The runs of a scan: in memory up to a budget, beyond it in a scratch folder."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from r2d2.errors import R2D2Error
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import merge
from r2d2.lake.questions import Projection
from r2d2.storage.scratch import ScratchFolder

BYTES_PER_ROW = 16


class RunStore:
    """Runs by projection, some for each split that was scanned; `spilled_bytes` are in files.

    Several threads may put runs at once.
    """

    def __init__(self, memory_bytes: int) -> None:
        self.spilled_bytes = 0
        self._memory_bytes = memory_bytes
        self._runs: dict[Projection, list[Lanes | _Spilled]] = defaultdict(list)
        self._held = 0
        self._files = 0
        self._scratch: ScratchFolder | None = None
        self._lock = Lock()

    def put(self, key: Projection, *runs: Lanes) -> None:
        """Keeps runs; those of a projection are taken together when read, or in one file."""
        size_bytes = sum(map(len, runs)) * BYTES_PER_ROW
        with self._lock:
            path = None
            if size_bytes and self._held + size_bytes > self._memory_bytes:
                path = self._new_file()
                self.spilled_bytes += size_bytes
            else:
                self._held += size_bytes
        kept = runs if path is None else (_spilled(merge(runs), path),)
        with self._lock:
            self._runs[key] += kept

    def each(self, key: Projection) -> list[Lanes]:
        """The projection's runs, which may share hashes."""
        runs = self._runs.get(key, ())
        return [run.mapped() if isinstance(run, _Spilled) else run for run in runs]

    def forget(self, key: Projection) -> None:
        """Drops the projection's runs."""
        for run in self._runs.pop(key, ()):
            if isinstance(run, _Spilled):
                run.path.unlink()
            else:
                self._held -= len(run) * BYTES_PER_ROW

    def __contains__(self, key: Projection) -> bool:
        return key in self._runs

    def rows(self, key: Projection) -> int:
        """The number of the projection's distinct rows at most."""
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
            self._scratch = None

    def _new_file(self) -> Path:
        try:
            if self._scratch is None:
                self._scratch = ScratchFolder()
        except OSError as error:
            raise _no_scratch(error) from error
        self._files += 1
        return self._scratch.path / str(self._files)


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


def _spilled(run: Lanes, path: Path) -> _Spilled:
    try:
        with path.open("wb") as file:
            file.write(np.ascontiguousarray(run.first).data)
            file.write(np.ascontiguousarray(run.second).data)
    except OSError as error:
        raise _no_scratch(error) from error
    return _Spilled(path, len(run))


def _no_scratch(error: OSError) -> R2D2Error:
    return R2D2Error(
        f"scratch of row hashes cannot be written: {error.strerror}; set TMPDIR to a folder"
        " with room, or raise memory_bytes"
    )


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
