"""Random recipes, with names and values that are hard to write."""

from hypothesis import strategies as st

from r2d2.recipes.constants import Constant
from r2d2.recipes.grammar import (
    Atom,
    Between,
    Cast,
    Distinct,
    Equals,
    Field,
    In,
    IsNan,
    IsNull,
    Leaf,
    NotNull,
    Output,
    Patch,
    Project,
    Recipe,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Source,
    Struct,
    Union,
)
from r2d2.recipes.literals import Literal
from tests.support.recipes.random_literals import literals

texts = st.text(st.characters(codec="utf-8"), max_size=8)
paths = st.lists(texts, min_size=1, max_size=3).map(tuple)
pairs = literals().flatmap(lambda one: st.tuples(st.just(one), literals(one.type)))


def in_order(one: Literal, other: Literal) -> tuple[Literal, Literal]:
    return (one, other) if one.order() <= other.order() else (other, one)


def outputs(source: st.SearchStrategy[Source]) -> st.SearchStrategy[tuple[Output, ...]]:
    columns = st.builds(Output, texts, source)
    return st.lists(columns, min_size=1, max_size=3, unique_by=lambda c: c.name).map(tuple)


sources = st.recursive(
    st.builds(Field, paths)
    | literals().map(lambda one: Constant(one.type, one.text))
    | st.builds(Cast, paths, st.just("list<int64>"), st.just("list<decimal(9,2)>")),
    lambda inner: st.builds(Struct, st.one_of(st.just(()), paths), outputs(inner)),
    max_leaves=4,
)
atoms: st.SearchStrategy[Atom] = st.one_of(
    st.builds(Equals, paths, literals()),
    st.builds(
        lambda path, ends: In(path, in_order(*ends)),
        paths,
        pairs.filter(lambda pair: pair[0].order() != pair[1].order()),
    ),
    st.builds(lambda path, ends: Between(path, *in_order(*ends)), paths, pairs),
    st.builds(IsNull, paths),
    st.builds(NotNull, paths),
    st.builds(IsNan, paths),
)


def residuals(*kinds: ResidualKind) -> st.SearchStrategy[Residual]:
    counts = st.integers(0, 2**70)
    sha256 = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)
    return st.builds(Residual, st.sampled_from(kinds), texts, counts, counts, sha256)


def leaves(columns: tuple[Output, ...]) -> st.SearchStrategy[Leaf]:
    own = st.just(columns)
    keys = st.lists(paths, min_size=1, max_size=2, unique=True).map(tuple)
    return st.one_of(
        st.builds(Project, texts, own),
        st.builds(Distinct, texts, own, st.lists(atoms, max_size=2).map(tuple)),
        st.builds(Select, texts, own, st.lists(atoms, min_size=1, max_size=3).map(tuple)),
        st.builds(Rows, texts, own, residuals(ResidualKind.KEYS), key=keys),
        st.builds(Rows, texts, own, residuals(ResidualKind.HASHES)),
        st.builds(Rows, texts, own, residuals(ResidualKind.POSITIONS), snapshot=texts),
    )


one_leaf = outputs(sources).flatmap(leaves)
unions = outputs(sources).flatmap(
    lambda columns: st.builds(
        Union, st.lists(leaves(columns), min_size=2, max_size=3).map(tuple), st.booleans()
    )
)
added = residuals(ResidualKind.ROWS)
taken = residuals(ResidualKind.ROWS, ResidualKind.HASHES)
inner = one_leaf | unions
recipes: st.SearchStrategy[Recipe] = st.one_of(
    one_leaf,
    unions,
    st.builds(Patch, inner, added, st.none() | taken),
    st.builds(Patch, inner, st.none(), taken),
)
