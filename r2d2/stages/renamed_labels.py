"""Labels: one name for columns of many tables, learnt from matches of their columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from r2d2.stages.renamed_groups import Group


@dataclass(frozen=True, slots=True)
class Labels:
    """Sets of names (by number) that mean one column; `leaders` leads from each to its set's.

    `holders` are the groups that have a name of the set; none ever has two.
    """

    leaders: list[int]
    holders: list[set[int]]

    @classmethod
    def of(cls, groups: Sequence[Group]) -> "Labels":
        """The labels by spelling alone: a group means what those do that have all its names."""
        holders = [{number} for number, group in enumerate(groups) for _ in group.names]
        labels = cls(list(range(len(holders))), holders)
        for group in groups:
            for other in (groups[number] for number in group.larger):
                place = {name: number for number, name in enumerate(other.names, other.first)}
                for number, name in enumerate(group.names, group.first):
                    labels.unite(number, place[name])
        return labels

    def leader(self, name: int) -> int:
        """The name that stands for all that mean the same as this one."""
        while self.leaders[name] != name:
            self.leaders[name] = name = self.leaders[self.leaders[name]]
        return name

    def unite(self, name: int, other: int) -> bool:
        """Makes two names mean one column, unless they do or some group has both: whether so."""
        name, other = self.leader(name), self.leader(other)
        if name == other or not self.holders[name].isdisjoint(self.holders[other]):
            return False
        if len(self.holders[name]) > len(self.holders[other]):
            name, other = other, name
        self.leaders[name] = other
        self.holders[other] |= self.holders[name]
        return True

    def include(self, names: Iterable[int], others: Iterable[int]) -> bool:
        """Whether each of the names means one of the others."""
        return set(map(self.leader, names)) <= set(map(self.leader, others))

    def spelled(self, groups: Sequence[Group]) -> list[str]:
        """Each name's label: as its leader is spelled, with numbers where that is taken."""
        names = [name for group in groups for name in group.names]
        labels: dict[int, str] = {}
        taken: set[str] = set()
        for number in sorted({self.leader(number) for number in range(len(names))}):
            label = names[number]
            while label in taken:
                label += f"#{number}"
            taken.add(label)
            labels[number] = label
        return [labels[self.leader(number)] for number in range(len(names))]
