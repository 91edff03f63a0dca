"""The values of daily snapshots, as arrays of days by entities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FIRST_DAY = np.datetime64("2015-01-01", "D")
ENTITIES = (40, 96)
RESTING = 1 / 7
NEWCOMER_DAYS = 90


def entities_present(days: int, chance: np.random.Generator) -> Array:
    """Days by entities: whether an entity reports; they join over the years and miss a few days."""
    least, most = ENTITIES
    joins = np.concatenate(
        [np.zeros(least + 4), np.sort(chance.integers(1, days, most - least - 4))]
    )
    present = np.arange(days)[:, None] >= joins
    missed = chance.random(present.shape) < 0.01
    missed &= np.cumsum(missed, axis=1) <= 4
    return np.asarray(present & ~missed)


def days_of_rest(shape: tuple[int, ...], closed: int, chance: np.random.Generator) -> Array:
    """Days by entities: whether nothing changes; some of the first entities close one day."""
    resting = chance.random(shape) < RESTING
    for entity in chance.choice(ENTITIES[0], closed, replace=False):
        resting[chance.integers(shape[0]) :, entity] = True
    return resting


def names_of(entity: str, shape: tuple[int, ...]) -> Array:
    """Days by entities: each entity's name, the same every day."""
    names = [f"{entity} {number * 7919 % 9973:04d}" for number in range(shape[1])]
    return np.broadcast_to(np.array(names, object), shape)


def values_of(kind: str, present: Array, resting: Array, chance: np.random.Generator) -> Array:
    """Days by entities: one column of the kind, unchanged where an entity rests."""
    days, entities = present.shape
    if kind in ("text", "trait"):
        start: Array = np.asarray(chance.integers(0, 9, entities))
        return slow(days, start, chance if kind == "trait" else None)
    if kind == "status":
        words = np.array(["falling", "rising", "stable", "unknown"], object)
        return held(words[chance.integers(0, 4, present.shape)], resting)
    if kind == "level":
        return held(np.round(chance.gamma(2.0, 20.0, present.shape), 1), resting)
    if kind == "time":
        seconds = np.arange(days)[:, None] * 86_400 + chance.integers(61_200, 82_800, present.shape)
        return held(FIRST_DAY.astype("datetime64[us]") + seconds.astype("timedelta64[s]"), resting)
    return counts(present, resting, chance)


def slow(days: int, start: Array, chance: np.random.Generator | None) -> Array:
    """Days by entities: one of nine labels an entity; with chance, one moves every 50 days."""
    labels = np.tile(start, (days, 1))
    if chance is not None:
        for day in range(50, days, 50):
            labels[day:, chance.integers(len(start))] = chance.integers(0, 9)
    names: Array = np.array([f"group {letter}" for letter in "ABCDEFGHI"], object)
    return np.asarray(names[labels])


def held(values: Array, resting: Array) -> Array:
    """The values, with the day before's where an entity rests."""
    days = np.where(resting, 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(days, axis=0), axis=0)


def counts(present: Array, resting: Array, chance: np.random.Generator) -> Array:
    """Days by entities: counts that grow; newcomers wait at zero; 1 in 500 is corrected."""
    days, entities = present.shape
    pace = chance.lognormal(3.0, 1.5, entities)
    daily = chance.poisson(pace, present.shape)
    daily = np.where(chance.random(present.shape) < 0.002, -daily // 4, daily)
    joined = np.argmax(present, axis=0)
    waiting = (joined > 4) & (np.arange(days)[:, None] < joined + NEWCOMER_DAYS)
    before = np.where(joined > 4, 0, chance.poisson(pace * chance.integers(30, 900, entities)))
    return np.asarray(before + np.cumsum(np.where(waiting | resting, 0, daily), axis=0))
