"""Recipes for any family: what engines call."""

from typing import TypeAlias

from r2d2.rebuild.counting import Counts
from r2d2.rebuild.family import Family, Proposal, UnionFamily
from r2d2.rebuild.propose import propose
from r2d2.rebuild.union import propose_unions

AnyFamily: TypeAlias = Family | UnionFamily


def proposals(family: AnyFamily, counts: Counts) -> list[Proposal]:
    """What is proposed for the family; one Counts for several reads their tables once."""
    if isinstance(family, Family):
        return propose(family, counts)
    return propose_unions(family, counts)
