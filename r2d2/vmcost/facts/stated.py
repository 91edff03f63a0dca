"""What a user states of the machines, as flags or in a file."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Stated:
    """Facts of a cluster that somebody named; None where nobody did."""

    provider: str | None = None
    region: str | None = None
    vm: str | None = None
    count: int | None = None
    driver_vm: str | None = None
    spot: bool | None = None

    def over(self, other: "Stated") -> "Stated":
        """These facts, and the other's where there are none."""
        own = {name: value for name, value in self.told().items() if value is not None}
        return replace(other, **own)

    def told(self) -> dict[str, Any]:
        """The facts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
