"""Money as printed: parts that still add up to the printed whole."""

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)

MICRO = 1_000_000


def micro_usd(parts: Mapping[Name, Fraction]) -> dict[Name, int]:
    """The parts in millionths of a dollar, which add up to the rounded sum of the parts.

    Each is the part rounded down or up; those with the largest remainders go up, the first of
    equal ones first (the method of largest remainders).

    >>> micro_usd({"a": Fraction(1, 3_000_000), "b": Fraction(2, 3_000_000)})
    {'a': 0, 'b': 1}
    """
    exact = {name: part * MICRO for name, part in parts.items()}
    down = {name: int(part // 1) for name, part in exact.items()}
    up = round_half_up(sum(exact.values(), Fraction(0))) - sum(down.values())
    by_remainder = sorted(exact, key=lambda name: down[name] - exact[name])
    return {name: whole + (name in by_remainder[:up]) for name, whole in down.items()}


def printed_usd(parts: Mapping[Name, Fraction]) -> dict[Name, float]:
    """The parts in dollars with six decimals, whose printed sum is `printed_total_usd`."""
    return {name: micro / MICRO for name, micro in micro_usd(parts).items()}


def printed_total_usd(usd: Fraction) -> float:
    """Dollars with six decimals, half a millionth rounded up."""
    return round_half_up(usd * MICRO) / MICRO


def round_half_up(number: Fraction) -> int:
    """The nearest whole number; the greater of two that are equally near."""
    return int((number + Fraction(1, 2)) // 1)
