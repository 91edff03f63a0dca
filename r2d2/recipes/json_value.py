"""A reader of JSON documents that says where a value is not what was expected."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from r2d2.recipes.literals import RecipeError

Item = TypeVar("Item")
Choice = TypeVar("Choice", bound=Enum)


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value within a JSON document and the way to it, such as `recipe.where[0].value`.

    Every method raises RecipeError where the value is not what it reads.
    """

    value: object
    place: str

    def refused(self, reason: str) -> RecipeError:
        """The error that gives the reason and this place."""
        return RecipeError(f"{self.place}: {reason}")

    def member(self, key: str) -> "JsonValue":
        """The object's member, which must be there."""
        if not isinstance(self.value, Mapping):
            raise self.refused("an object was expected")
        if key not in self.value:
            raise self.refused(f"{key!r} is missing")
        return JsonValue(self.value[key], f"{self.place}.{key}")

    def members(self, keys: Collection[str], optional: Collection[str] = ()) -> None:
        """Refuses an object that lacks one of the keys, or has others than these."""
        for key in keys:
            self.member(key)
        unknown = sorted(str(k) for k in self._object() if k not in keys and k not in optional)
        if unknown:
            raise self.refused(f"unknown key {unknown[0]!r}")

    def has(self, key: str) -> bool:
        """Whether the object has that member."""
        return key in self._object()

    def text(self) -> str:
        """The text; one that UTF-8 cannot write is refused."""
        if not isinstance(self.value, str):
            raise self.refused("a text was expected")
        try:
            self.value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise self.refused("this text cannot be written in UTF-8") from error
        return self.value

    def choice(self, known: Collection[Choice]) -> Choice:
        """The one of these that is written so."""
        for one in known:
            if one.value == self.value:
                return one
        raise self.refused(f"one of {', '.join(str(one.value) for one in known)} was expected")

    def count(self) -> int:
        """The whole number, zero or more."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.refused("a whole number from 0 was expected")
        return self.value

    def items(self, read: "Callable[[JsonValue], Item]", least: int = 1) -> tuple[Item, ...]:
        """The list's values, each read in turn; shorter lists than `least` are refused."""
        if not isinstance(self.value, list):
            raise self.refused("a list was expected")
        if len(self.value) < least:
            raise self.refused(f"a list of at least {least} was expected")
        parts = (JsonValue(item, f"{self.place}[{i}]") for i, item in enumerate(self.value))
        return tuple(map(read, parts))

    def _object(self) -> Mapping[object, object]:
        if not isinstance(self.value, Mapping):
            raise self.refused("an object was expected")
        return self.value
