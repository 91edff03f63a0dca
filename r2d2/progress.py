"""Progress of long work: reported by engines, shown by the command line."""

from typing import Protocol


class Progress(Protocol):
    """Receives an engine's progress, in the thread that asked the question."""

    def begin(self, what: str, total_bytes: int) -> None:
        """A scan of so many bytes begins."""

    def advance(self, size_bytes: int, rows: int) -> None:
        """So much more of it is done."""

    def end(self) -> None:
        """The scan is over."""


class Silence:
    """Progress that is shown to nobody."""

    def begin(self, what: str, total_bytes: int) -> None:
        """Says nothing."""

    def advance(self, size_bytes: int, rows: int) -> None:
        """Says nothing."""

    def end(self) -> None:
        """Says nothing."""
