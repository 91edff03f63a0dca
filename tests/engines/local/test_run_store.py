"""Runs in memory and in the scratch folder answer alike."""

from pathlib import Path

import numpy as np
import pytest

from r2d2.engines.local.run_store import RunStore
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import sorted_unique
from r2d2.storage.scratch import remove_scratch

KEY = (0, 0)


def run(seed: int, rows: int) -> Lanes:
    random = np.random.default_rng(seed)
    words = random.integers(0, 2**64, (2, rows), np.uint64)
    return sorted_unique(Lanes(words[0], words[1]))


def stored(memory_bytes: int) -> RunStore:
    store = RunStore(memory_bytes)
    for seed in (1, 2, 3, 1):
        store.put(KEY, run(seed, 1000))
    return store


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_a_store_that_spills_gives_the_slices_of_one_that_does_not(parts: int) -> None:
    for part in range(parts):
        whole = stored(1 << 30).slice(KEY, part, parts)
        spilled = stored(20_000).slice(KEY, part, parts)
        assert np.array_equal(whole.first, spilled.first)
        assert np.array_equal(whole.second, spilled.second)


def test_slices_together_are_every_distinct_hash_once() -> None:
    slices = [stored(0).slice(KEY, part, 5).first for part in range(5)]
    every = np.concatenate(slices)
    assert len(every) == 3000
    assert (every[1:] > every[:-1]).all()


@pytest.mark.parametrize("memory_bytes", [0, 1 << 30])
def test_a_run_that_comes_after_slices_were_taken_is_in_the_next(memory_bytes: int) -> None:
    store = stored(memory_bytes)
    assert len(store.slice(KEY, 0, 2)) + len(store.slice(KEY, 1, 2)) == 3000
    store.put(KEY, run(4, 1000))
    assert len(store.slice(KEY, 0, 2)) + len(store.slice(KEY, 1, 2)) == 4000
    store.forget(KEY)
    assert len(store.slice(KEY, 0, 2)) == 0


def test_the_smallest_hashes_are_the_first_of_the_whole() -> None:
    store = stored(20_000)
    assert np.array_equal(
        store.smallest(KEY, 50).first, stored(1 << 30).slice(KEY, 0, 1).first[:50]
    )


def test_closing_or_interrupting_removes_the_scratch_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = stored(0), stored(0)
    assert len(list(tmp_path.iterdir())) == 2
    first.close()
    assert len(list(tmp_path.iterdir())) == 1
    remove_scratch()
    assert not list(tmp_path.iterdir())
    second.close()
