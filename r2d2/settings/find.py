"""Settings of `find`: defaults, over them a TOML file's `[find]`, `[[text]]` and `[[table]]`,
then flags."""

import codecs
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.model import Types
from r2d2.settings import is_among, is_named
from r2d2.settings.toml import NO_KEY, Kinds, read_toml

STAGE_NAMES = ("schema", "metadata", "sample", "sketch", "exact")
# Keys of a text table's details: what of a rule it does not fit, a guess that was close, and the
# lines that are no records.
UNUSED, DOUBT, LEFT_OUT = "unused rule", "doubt", "left out"
DEFAULT_STAGES = ("schema", "metadata", "sketch", "exact")


@dataclass(frozen=True, slots=True)
class TextRule:
    """Parts of a dialect that are given, not detected, for locations that match `tables`."""

    tables: str
    overrides: Mapping[str, object]

    def __post_init__(self) -> None:
        dialect_fields(self.overrides)

    @property
    def written(self) -> str:
        """The rule's first line in a settings file."""
        return f"[[text]] tables = {json.dumps(self.tables, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class TableRule:
    """`[[table]]`: a pattern of folders that are one table each, or of files that are."""

    folder: str | None = None
    files: str | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.files is None):
            raise UsageError(
                '[[table]]: give folder = "…" (all data files below it are one table)'
                ' or files = "…" (each of them is a table)'
            )
        pattern = self.pattern
        if not pattern or pattern.startswith("/") or (pattern.endswith("/") and self.folder):
            key = "files" if self.folder is None else "folder"
            raise UsageError(
                f"{key} = {pattern!r}: give a pattern of locations in the lake, without a slash at"
                " its ends; the lake itself is '.'"
            )

    @property
    def pattern(self) -> str:
        """The pattern that is given."""
        return self.folder if self.folder is not None else self.files or ""

    @property
    def written(self) -> str:
        """The rule as a settings file has it, on one line."""
        key = "files" if self.folder is None else "folder"
        return f"[[table]] {key} = {json.dumps(self.pattern, ensure_ascii=False)}"

    def matches(self, location: str) -> bool:
        """Whether the pattern matches the folder or file; the lake itself is `.`."""
        if location in ("", "."):
            return self.folder == "."
        return is_named(location, self.pattern)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run's answer may depend on, and how much of the machine it may take."""

    types: Types = Types.STRICT
    min_fraction: float = 1.0
    case_sensitive: bool = False
    renamed: bool = False
    constant_columns: bool = False
    ignore_columns: tuple[str, ...] = ()
    text_exports: bool = False
    stages: tuple[str, ...] = DEFAULT_STAGES
    sketch_size: int = 1024
    sample_rows: int = 10
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_bytes: int = 1 << 30
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sample_tables: int = 0
    text: tuple[TextRule, ...] = field(default=(), metadata=NO_KEY)
    tables: tuple[TableRule, ...] = field(default=(), metadata=NO_KEY)

    def __post_init__(self) -> None:
        if not 0 < self.min_fraction <= 1:
            raise UsageError(f"min_fraction = {self.min_fraction}: give a number in (0, 1]")
        others = ("constant_columns", "ignore_columns", "text_exports")
        if self.renamed and any(getattr(self, name) for name in others):
            raise UsageError(
                "renamed: columns under other names are not found together with"
                f" {', '.join(others[:-1])} or {others[-1]}; run `r2d2 find` once with each,"
                " into folders of their own"
            )
        stages = f"stages = {','.join(self.stages)}"
        for name in self.stages:
            if name not in STAGE_NAMES:
                raise UsageError(f"{stages}: {name!r} is none of {', '.join(STAGE_NAMES)}")
        if not self.stages or self.stages[0] != "schema":
            raise UsageError(f"{stages}: the first is always schema: it makes the pairs")
        order = [STAGE_NAMES.index(name) for name in self.stages]
        if order != sorted(set(order)):
            raise UsageError(f"{stages}: they run once and in order: {', '.join(STAGE_NAMES)}")
        for name in ("sketch_size", "sample_rows", "threads", "memory_bytes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)}: give at least 1")
        if self.sample_tables < 0:
            raise UsageError(f"sample_tables = {self.sample_tables}: give at least 1, or 0 for all")

    def unused_patterns(self, locations: Collection[str]) -> Iterator[tuple[str, str]]:
        """The name and pattern of each `include` and `exclude` that names no table."""
        for name in ("include", "exclude"):
            for pattern in getattr(self, name):
                if not any(is_among(location, pattern) for location in locations):
                    yield name, pattern

    def unused_table_rules(self, locations: Iterable[str]) -> list[TableRule]:
        """The rules that match none of the tables' locations: misspelt, or of another lake."""
        unused = list(self.tables)
        for location in locations if unused else ():
            unused = [rule for rule in unused if not rule.matches(location)]
        return unused

    def unused_text_rules(self, locations: Iterable[str]) -> list[TextRule]:
        """The rules that match none of the locations, which are those of text files and tables."""
        unused = list(self.text)
        for location in locations if unused else ():
            unused = [rule for rule in unused if not is_among(location, rule.tables)]
        return unused

    def text_overrides(self, location: str) -> Mapping[str, object]:
        """The overrides of all rules that match the table, later rules over earlier ones."""
        merged: dict[str, object] = {}
        for rule in self.text:
            if is_among(location, rule.tables):
                merged |= rule.overrides
        return merged


@dataclass(frozen=True, slots=True)
class TextSection:
    """`[[text]]`: the keys of a text rule; None is not given. `quote = ""` says there is none."""

    tables: str
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_rows: int | None = None
    null_marker: str | None = None

    def __post_init__(self) -> None:
        self.rule()

    def rule(self) -> TextRule:
        """The rule with the keys that are given."""
        keys = [key for key in self.__slots__ if key != "tables"]
        given = {key: getattr(self, key) for key in keys}
        return TextRule(
            self.tables, {key: value for key, value in given.items() if value is not None}
        )


FIND_SECTIONS: Kinds = {"find": Settings, "text": TextSection, "table": TableRule}


def load_settings(path: Path | None, **flags: Any) -> Settings:
    """The settings of a TOML file with the given flags over them; a flag of None says nothing.

    Raises:
        UsageError: the file is missing or no TOML, or a section, key, type or value is wrong.
    """
    values = read_toml(path, FIND_SECTIONS).values() if path else {}
    settings: Settings = values.get("find", Settings())
    rules = tuple(section.rule() for section in values.get("text", ()))
    given = {name: value for name, value in flags.items() if value is not None}
    return replace(settings, text=rules, tables=values.get("table", ()), **given)


def dialect_fields(overrides: Mapping[str, object]) -> dict[str, Any]:
    """The overrides as a dialect's fields: an empty quote or escape is None.

    Raises:
        UsageError: a key is unknown, or its value is not one it can have.
    """
    values: dict[str, Any] = {}
    for key, value in overrides.items():
        check = _CHECKS.get(key)
        if check is None:
            known = ", ".join(sorted(_CHECKS))
            raise UsageError(f"unknown text setting {key!r}: known are {known}")
        values[key] = check(key, value)
    special = [values[key] for key in ("delimiter", "quote", "escape") if values.get(key)]
    if len(set(map(str, special))) < len(special):
        raise UsageError("delimiter, quote and escape must differ from each other")
    return values


def _character(key: str, value: object) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n\0":
        raise UsageError(f"{key} = {value!r}: expected one ASCII character")
    return value


def _character_or_none(key: str, value: object) -> str | None:
    return None if value == "" else _character(key, value)


def _encoding(key: str, value: object) -> str:
    try:
        name = codecs.lookup(value if isinstance(value, str) else "").name
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        raise UsageError(f"{key} = {value!r}: expected a text encoding's name") from error
    return name


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{key} = {value!r}: expected true or false")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{key} = {value!r}: expected a whole number, 0 or more")
    return value


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{key} = {value!r}: expected a text")
    return value


_CHECKS: dict[str, Callable[[str, object], object]] = {
    "delimiter": _character,
    "quote": _character_or_none,
    "escape": _character_or_none,
    "encoding": _encoding,
    "header": _flag,
    "skip_rows": _count,
    "null_marker": _text,
}
