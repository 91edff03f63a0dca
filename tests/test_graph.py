"""Connected components, against groups that are joined edge by edge."""

import numpy as np
import pytest

from r2d2.graph import connected_components


@pytest.mark.parametrize("seed", range(20))
def test_components_are_what_edges_join(seed: int) -> None:
    random = np.random.default_rng(seed)
    children, parents = random.integers(0, 40, (2, 25))
    labels = connected_components(40, children, parents)
    groups = {i: {i} for i in range(40)}
    for child, parent in zip(children.tolist(), parents.tolist(), strict=True):
        joined = groups[child] | groups[parent]
        groups |= dict.fromkeys(joined, joined)
    for i in range(40):
        assert {j for j in range(40) if labels[j] == labels[i]} == groups[i]
    assert set(labels.tolist()) == set(range(labels.max() + 1))
