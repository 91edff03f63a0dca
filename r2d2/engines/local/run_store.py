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
        self._cuts: dict[Projection, tuple[int, list[list[int]]]] = {}
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
            self._cuts.pop(key, None)

    def each(self, key: Projection) -> list[Lanes]:
        """The projection's runs, which may share hashes."""
        runs = self._runs.get(key, ())
        return [run.mapped() if isinstance(run, _Spilled) else run for run in runs]

    def forget(self, key: Projection) -> None:
        """Drops the projection's runs."""
        self._cuts.pop(key, None)
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
        if parts > 1:
            cuts = self._cuts_of(key, parts)
            return merge(
                [run.part(*ends[part : part + 2]) for run, ends in zip(runs, cuts, strict=True)]
            )
        if len(runs) == 1 and isinstance(runs[0], Lanes):
            return runs[0]
        run = merge([run.part(0, len(run)) for run in runs])
        if all(isinstance(run, Lanes) for run in runs):
            runs[:] = [run]
        return run

    def _cuts_of(self, key: Projection, parts: int) -> list[list[int]]:
        """The positions at which each of the runs is cut, found once for all ranges."""
        known, cuts = self._cuts.get(key, (0, []))
        if known != parts:
            limits = np.array([(number << 64) // parts for number in range(1, parts)], np.uint64)
            cuts = [
                [0, *np.searchsorted(run.first, limits).tolist(), len(run)]
                for run in self.each(key)
            ]
            self._cuts[key] = parts, cuts
        return cuts

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
    """A run in a scratch file, mapped only while positions in it are looked up."""

    path: Path
    rows: int

    def __len__(self) -> int:
        return self.rows

    def mapped(self) -> Lanes:
        lanes = np.memmap(self.path, np.uint64, "r")
        return Lanes(lanes[: self.rows], lanes[self.rows :])

    def part(self, start: int, stop: int) -> Lanes:
        """A copy of the hashes at these positions. Reading takes a third of mapping, for few."""
        with self.path.open("rb", buffering=0) as file:
            lanes = []
            for lane in (0, self.rows):
                file.seek((lane + start) * np.uint64(0).itemsize)
                lanes.append(np.fromfile(file, np.uint64, stop - start))
        return Lanes(*lanes)


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
    return run if len(run) <= size and isinstance(run, Lanes) else run.part(0, min(size, len(run)))
