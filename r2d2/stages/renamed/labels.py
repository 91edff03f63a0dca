"""Labels: one name for a column of many tables, learnt from the tables' best matches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from r2d2.stages.renamed.column_sketches import ColumnProfiles, SchemaGroup
from r2d2.stages.renamed.table_matches import TableMatch

LABELLINGS = 2


@dataclass(frozen=True, slots=True)
class ColumnLabels:
    """Sets of names (by number) that mean one column; `leaders` leads from each to its set's.

    `holders` are the groups that have a name of the set; none ever has two.
    """

    leaders: list[int]
    holders: list[set[int]]

    @classmethod
    def of(cls, groups: Sequence[SchemaGroup]) -> "ColumnLabels":
        """The labels by spelling alone: a group means what those do that have all its names."""
        holders = [{number} for number, group in enumerate(groups) for _ in group.names]
        labels = cls(list(range(len(holders))), holders)
        for group in groups:
            for other in (groups[number] for number in group.larger):
                place = {name: number for number, name in enumerate(other.names, other.first)}
                for number, name in enumerate(group.names, group.first):
                    labels._unite(number, place[name])
        return labels

    def learn(self, link: TableMatch, profiles: Mapping[int, ColumnProfiles]) -> bool:
        """Makes one the names that the link's best assignment matches: whether any was not yet."""
        child, parent = profiles[link.child].names, profiles[link.parent].names
        if set(map(self._leader, child.tolist())) <= set(map(self._leader, parent.tolist())):
            return False
        rows, columns = link.matched()
        matches = zip(child[rows].tolist(), parent[columns].tolist(), strict=True)
        return sum(self._unite(name, other) for name, other in matches) > 0

    def spelled(self, groups: Sequence[SchemaGroup]) -> list[str]:
        """Each name's label: as its leader is spelled, with numbers where that is taken."""
        names = [name for group in groups for name in group.names]
        labels: dict[int, str] = {}
        taken: set[str] = set()
        for number in sorted({self._leader(number) for number in range(len(names))}):
            label = names[number]
            while label in taken:
                label += f"#{number}"
            taken.add(label)
            labels[number] = label
        return [labels[self._leader(number)] for number in range(len(names))]

    def _leader(self, name: int) -> int:
        while self.leaders[name] != name:
            self.leaders[name] = name = self.leaders[self.leaders[name]]
        return name

    def _unite(self, name: int, other: int) -> bool:
        """Makes two names mean one column, unless they do or some group has both: whether so."""
        name, other = self._leader(name), self._leader(other)
        if name == other or not self.holders[name].isdisjoint(self.holders[other]):
            return False
        if len(self.holders[name]) > len(self.holders[other]):
            name, other = other, name
        self.leaders[name] = other
        self.holders[other] |= self.holders[name]
        return True


def best_spanning(
    matches: Sequence[TableMatch],
    profiles: Mapping[int, ColumnProfiles],
    groups: Sequence[SchemaGroup],
) -> list[TableMatch]:
    """The best matches that give all labels, chosen `LABELLINGS` times, as some may be wrong."""
    left = sorted(matches, key=TableMatch.fit_at_most, reverse=True)
    chosen: list[TableMatch] = []
    for _ in range(LABELLINGS):
        labels = ColumnLabels.of(groups)
        taken = {match for match in left if labels.learn(match, profiles)}
        chosen += [match for match in left if match in taken]
        left = [match for match in left if match not in taken]
    return chosen


def learnt_labels(
    links: Sequence[TableMatch],
    profiles: Mapping[int, ColumnProfiles],
    groups: Sequence[SchemaGroup],
) -> list[str]:
    """Each name's label, from all links; the better a link, the earlier it is believed."""
    labels = ColumnLabels.of(groups)
    for link in sorted(links, key=TableMatch.fit, reverse=True):
        labels.learn(link, profiles)
    return labels.spelled(groups)
