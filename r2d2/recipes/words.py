"""Recipes in words, from their JSON data (`recipes/json.py`).

Predicates and constants hold values of the data: these are told only where they are asked for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from r2d2.text_tables import human_bytes, pluralize

Data = Mapping[str, Any]
HIDDEN = "a value"
_LISTS = {"in": "in", "not_in": "not in"}
SHOWN, LONGEST_VALUE = 5, 60
SOURCES = {
    "renamed": "renamed",
    "cast": "cast",
    "constant": "of one value",
    "row_number": "row numbers counted anew",
    "text_of": "written as text",
    "parts": "structs put together anew",
}
"""The kinds of columns that are not taken over as they are, by the key of their data."""
_PLURALS = {"in": "among", "not_in": "not among"}


CHANGES = {
    "append": "rows are added",
    "delete": "rows are deleted",
    "rewrite": "files are rewritten",
}
VERDICTS = {"always": "right", "perhaps": "perhaps", "never": "wrong"}


def recipe_words(recipe: Data, *, show_values: bool = False) -> str:
    """The recipe as a sentence without a full stop.

    >>> one = {"type": "string", "text": "IT"}
    >>> select = {"kind": "select", "parent": "a", "columns": [{"name": "id", "from": ["id"]}],
    ...           "where": [{"kind": "equals", "path": ["country"], "value": one}]}
    >>> recipe_words(select)
    'rows of a where country = a value, in 1 column'
    >>> recipe_words(select, show_values=True)
    "rows of a where country = 'IT', in 1 column"
    """
    match recipe["kind"]:
        case "union":
            once = ", each row once" if recipe.get("distinct") else ""
            return f"{' together with '.join(_parts(recipe['parts'], show_values))}{once}"
        case "patch":
            inner = recipe_words(recipe["recipe"], show_values=show_values)
            return ", ".join((inner, *_patches(recipe)))
    parent, where = recipe["parent"], _where(recipe.get("where", ()), show_values)
    columns = ", ".join(
        (
            f"in {pluralize(len(recipe['columns']), 'column')}",
            *_sources(recipe["columns"], show_values),
        )
    )
    match recipe["kind"]:
        case "project":
            return f"all rows of {parent}, {columns}"
        case "distinct":
            return f"each row of {parent} once{where}, {columns}"
        case "rows":
            listed = recipe["residual"]
            told = f"{pluralize(listed['rows'], 'row')} of {parent} that a file kept aside lists"
            return f"{told} ({listed['kept']}, {human_bytes(listed['size_bytes'])}), {columns}"
    return f"rows of {parent}{where}, {columns}"


def _parts(parts: Sequence[Data], show_values: bool) -> Iterator[str]:
    """The parts of a union in words; one that counts several times is told once."""
    different = [part for number, part in enumerate(parts) if part not in parts[:number]]
    for part in different[:SHOWN]:
        times = parts.count(part)
        counts = "" if times == 1 else "twice " if times == 2 else f"{times:,} times "
        yield counts + recipe_words(part, show_values=show_values)
    if len(different) > SHOWN:
        yield pluralize(len(different) - SHOWN, "more part")


def _patches(recipe: Data) -> Iterator[str]:
    for key, told in (("plus", "added"), ("minus", "taken away")):
        if file := recipe.get(key):
            rows = pluralize(file["rows"], "row")
            yield f"{rows} {told} from a file kept aside ({human_bytes(file['size_bytes'])})"


def _where(atoms: Sequence[Data], show_values: bool) -> str:
    return f" where {_conjunction(atoms, show_values)}" if atoms else ""


def _conjunction(atoms: Sequence[Data], show_values: bool) -> str:
    return " and ".join(_atom(atom, show_values) for atom in atoms)


def _atom(atom: Data, show_values: bool) -> str:
    kind = atom["kind"]
    if kind == "any_of":
        parts = (_conjunction(part, show_values) for part in atom["conjunctions"])
        return f"({' or '.join(parts)})"
    column = _part(atom)
    match kind:
        case "equals":
            return f"{column} = {_value(atom['value'], show_values)}"
        case "at_least":
            return f"{column} ≥ {_value(atom['low'], show_values)}"
        case "in" | "not_in":
            if not show_values:
                return f"{column} {_PLURALS[kind]} {pluralize(len(atom['texts']), 'value')}"
            return f"{column} {_LISTS[kind]} ({_few(map(_short, atom['texts']))})"
        case "between":
            ends = (_value(atom[end], show_values) for end in ("low", "high"))
            return (
                f"{column} between {' and '.join(ends)}" if show_values else f"{column} in a range"
            )
        case "is_null":
            return f"{column} is NULL"
        case "not_null":
            return f"{column} is not NULL"
        case "is_nan":
            return f"{column} is NaN"
        case "compare":
            return f"{column} {atom['comparison']} {'.'.join(atom['other'])}"
    return f"{column} {kind}"


def _part(atom: Data) -> str:
    column, part = ".".join(atom["path"]), atom.get("of")
    if part is None:
        return column
    if isinstance(part, Mapping):
        return f"{column} % {part['remainder']}"
    return f"{part} of {column}"


def _value(literal: Data, show_values: bool) -> str:
    return _short(literal["text"]) if show_values else HIDDEN


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


def _few(told: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    names = list(told)
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _sources(columns: Sequence[Data], show_values: bool) -> Iterator[str]:
    """The columns that are not taken over as they are, by kind; values only where asked for."""
    told: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        name, source = column["name"], column["from"]
        if not isinstance(source, Mapping):
            if source != [name]:
                told["renamed"].append(f"{name} from {'.'.join(source)}")
            continue
        kind = next(kind for kind in SOURCES if kind in source)
        shown = name
        if kind == "cast":
            shown = f"{name} to {source['to']}"
        elif kind == "constant" and show_values:
            text = source["constant"]["text"]
            shown = f"{name} = {'NULL' if text is None else _short(text)}"
        elif kind == "text_of" and show_values:
            shown = f"{name} ({_short(source['as'])})"
        told[kind].append(shown)
    for kind, words in SOURCES.items():
        if told[kind]:
            yield f"{words}: {_few(told[kind])}"


def survival_told(words: Mapping[str, str]) -> str:
    """Whether a recipe is still right, by what changed in a parent.

    >>> survival_told({"append": "perhaps", "delete": "perhaps", "rewrite": "always"})
    'right if files are rewritten, perhaps if rows are added or deleted'
    """
    told = []
    for word, verdict in VERDICTS.items():
        changes = [CHANGES.get(change, change) for change, each in words.items() if each == word]
        if changes:
            told.append(f"{verdict} if {' or '.join(changes)}".replace("or rows are ", "or "))
    return ", ".join(told)
