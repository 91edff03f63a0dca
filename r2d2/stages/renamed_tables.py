"""Which tables may match under other names at all, by how many columns of each type they have."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from r2d2.stages.renamed_contents import Integers
from r2d2.stages.schema import Signature


def comparable(signatures: Mapping[int, Signature]) -> set[int]:
    """The tables that have a table's types, but not its names, or the other way round."""
    distinct = list(dict.fromkeys(signatures.values()))
    profiles: dict[bytes, list[Signature]] = defaultdict(list)
    counts = type_counts(distinct)
    for signature, row in zip(distinct, counts, strict=True):
        profiles[row.tobytes()].append(signature)
    members = list(profiles.values())
    rows = np.array([np.frombuffer(profile, np.int64) for profile in profiles])
    found: set[Signature] = set()
    for row, own in zip(rows, members, strict=True):
        larger = [members[place] for place in np.flatnonzero((rows >= row).all(axis=1))]
        if any(not name <= other for name in own for group in larger for other in group):
            found.update(own, *larger)
    return {table for table, signature in signatures.items() if signature in found}


def type_counts(signatures: Iterable[Signature]) -> Integers:
    """How many columns of each type each signature has: signatures × types."""
    counts = [Counter(tag for _, tag in signature) for signature in signatures]
    places = {tag: place for place, tag in enumerate(sorted({tag for c in counts for tag in c}))}
    found = np.zeros((len(counts), len(places)), np.int64)
    for row, count in zip(found, counts, strict=True):
        for tag, columns in count.items():
            row[places[tag]] = columns
    return found


def undecided(pairs: Integers, signatures: Mapping[int, Signature]) -> Integers:
    """The pairs of which the parent has the child's types, but not the child's names."""
    tables = list(signatures)
    counts = type_counts(signatures.values())
    children, parents = (np.searchsorted(tables, end) for end in pairs.T)
    fitting = pairs[(counts[children] <= counts[parents]).all(axis=1)]
    other = [not signatures[child] <= signatures[parent] for child, parent in fitting.tolist()]
    return fitting[np.array(other, np.bool_)]
