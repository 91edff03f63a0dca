"""What a user states of the machines, as flags or in a file."""

from dataclasses import dataclass, fields, replace
from typing import Any

from r2d2.errors import UsageError


@dataclass(frozen=True, slots=True)
class Stated:
    """Facts of a cluster that somebody named; None where nobody did.

    Raises:
        UsageError: there are fewer VMs than one, or a name is empty.
    """

    provider: str | None = None
    region: str | None = None
    vm: str | None = None
    count: int | None = None
    driver_vm: str | None = None
    spot: bool | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise UsageError(f"count = {self.count}: give 1 or more")
        for name, value in self.told().items():
            if value == "":
                raise UsageError(f"{name} = '': give a name, or leave it out")

    def over(self, other: "Stated") -> "Stated":
        """These facts, and the other's where there are none."""
        own = {name: value for name, value in self.told().items() if value is not None}
        return replace(other, **own)

    def told(self) -> dict[str, Any]:
        """The facts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
