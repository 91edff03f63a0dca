"""A storage whose readers wait at a gate, so that a test knows they are in the middle of a read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r2d2.model import FileInfo
from r2d2.storage.local import Listing, LocalStorage
from tests.support.engines.cluster import until


@dataclass(frozen=True, slots=True)
class GatedStorage:
    """A folder that processes but the driver's read only once the gate is open."""

    inner: LocalStorage
    gate: Path
    driver: int

    @property
    def url(self) -> str:
        """The folder."""
        return self.inner.url

    def list(self) -> Listing:
        """Every file, at once."""
        return self.inner.list()

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes, once the gate is open."""
        self._wait()
        return self.inner.read(file, start, length)

    def open(self, file: FileInfo) -> Any:
        """The file, once the gate is open."""
        self._wait()
        return self.inner.open(file)

    def absolute(self, path: str) -> str:
        """The path on this machine."""
        return self.inner.absolute(path)

    def _wait(self) -> None:
        if os.getpid() != self.driver and not self.is_open():
            (self.gate / f"reader-{os.getpid()}").touch()
            until(self.is_open, "the gate was never opened")

    def is_open(self) -> bool:
        """Whether readers may read."""
        return (self.gate / "open").exists()

    def readers(self) -> int:
        """How many processes wait or waited."""
        return len(list(self.gate.glob("reader-*")))
