"""A mover, as the verbs see it: a way in which a table leaves its readers' sight and comes back.

It does what it is told, one step at a time: when to move, and whether, is the verbs' business.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, Data, Deletion
from r2d2.model import Table

QUARANTINE = f"{HOME}/quarantine"
Moved = Mapping[str, Sequence[Any]]
"""Of each moved file, by its path in the lake: its bytes, its SHA-256, and what names it."""


class MoveError(R2D2Error):
    """A table cannot be moved now; nothing was changed, or `fsck` puts it right."""


class PersonNeededError(R2D2Error):
    """Files are where nobody expects them: a person must say which are right."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the files of a deletion are, by their paths in the lake.

    `live` are at their old places, `moved` in quarantine, `gone` in neither; `damaged` are those of
    the `gone` that are in quarantine, and not as long as the journal has them. `others` lie at the
    old place and are not of the table that was deleted; `may_join`: it can come back beside them.
    """

    live: frozenset[str]
    moved: frozenset[str]
    gone: frozenset[str]
    others: tuple[str, ...]
    may_join: bool = False
    damaged: frozenset[str] = frozenset()


class Mover(Protocol):
    """A way to move tables. A deletion's `epoch` names the runner whose names for files hold."""

    name: str
    keeps_place: bool
    """Whether something of a deleted table stays at its place, and must come back into it."""

    def reason_against(self, entry: Data, table: Table) -> str | None:
        """Why this table cannot be moved so, None where it can."""

    def noted(self, entry: Data, table: Table) -> Data:
        """What the mark must tell of the live table; it becomes `move` in the record.

        Raises:
            MoveError: the table is not as it was listed.
        """

    def prepare(self, deletion: Deletion) -> None:
        """Makes what the move needs; the journal does not know of the deletion yet."""

    def located(self, deletion: Deletion) -> Deletion:
        """The deletion with the epoch under which its files are in quarantine now."""

    def look(self, deletion: Deletion) -> Whereabouts:
        """Where the files are, as listed now, under the deletion's epoch."""

    def take_over(self, deletion: Deletion, epoch: int) -> Deletion:
        """The deletion under a new runner: names that an older one knows lead nowhere."""

    def changed(self, table: Table) -> str | None:
        """The first of the live table's files that is not as it was listed, None where all are."""

    def move(self, deletion: Deletion) -> None:
        """Takes the table out of sight.

        Raises:
            MoveError: it is not as it was marked; nothing moved.
        """

    def back(self, deletion: Deletion) -> None:
        """Puts all moved files back, none over another.

        Raises:
            PersonNeededError: something is at the old place.
        """

    def moved_table(self, deletion: Deletion, table: Table) -> Table:
        """The table as it can be read now that it was moved; `table` is as it was live."""

    def digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each moved file."""

    def live_digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each file of the deletion at its old place."""

    def delete(self, deletion: Deletion, path: str) -> None:
        """Deletes one moved file, by its name in quarantine."""

    def rebuilding(self, deletion: Deletion) -> AbstractContextManager[Path]:
        """A folder on this machine: what is written in it becomes the deletion's moved files."""

    def clear(self, deletion: Deletion) -> None:
        """Removes what older runners left of the deletion, by its names, and empty folders."""
