"""Labels: one name for columns of many tables, learnt from matches of their columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from r2d2.stages.renamed_groups import Group

Name = tuple[int, str]
"""A column name as a group of tables means it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Sets of names that mean one column, each led by one of them, and the groups of each set.

    No group ever has two names in a set.
    """

    leaders: dict[Name, Name]
    holders: dict[Name, set[int]]

    @classmethod
    def of(cls, groups: Sequence[Group]) -> "Labels":
        """The labels by spelling alone: a group means what those do that have all its names."""
        names = [(number, name) for number, group in enumerate(groups) for name in group.names]
        labels = cls({name: name for name in names}, {name: {name[0]} for name in names})
        for number, group in enumerate(groups):
            for larger in group.larger:
                labels.learn(((number, name), (larger, name)) for name in group.names)
        return labels

    def learn(self, matches: Iterable[tuple[Name, Name]]) -> bool:
        """Makes the names of each match one where no group has both; whether any was not yet."""
        return any([self._unite(self.leader(name), self.leader(other)) for name, other in matches])

    def among(self, names: Iterable[Name], others: Iterable[Name]) -> bool:
        """Whether all of the names mean one of the others."""
        return {self.leader(name) for name in names} <= {self.leader(name) for name in others}

    def leader(self, name: Name) -> Name:
        """The name that leads the set of this one."""
        while self.leaders[name] != name:
            name = self.leaders[name]
        return name

    def _unite(self, name: Name, other: Name) -> bool:
        if name == other or not self.holders[name].isdisjoint(self.holders[other]):
            return False
        if len(self.holders[name]) > len(self.holders[other]):
            name, other = other, name
        self.leaders[name] = other
        self.holders[other] |= self.holders.pop(name)
        return True

    def spelled(self) -> Mapping[Name, str]:
        """Each name's label: as its leader is spelled, and if that is taken, with a number."""
        labels: dict[Name, str] = {}
        taken: set[str] = set()
        for leader in (name for name, own in self.leaders.items() if name == own):
            group, label = leader
            while label in taken:
                label += f"#{group}"
            taken.add(label)
            labels[leader] = label
        return {name: labels[self.leader(name)] for name in self.leaders}
