"""The files that make one table: what grouping hands to the inventory."""

from dataclasses import dataclass

from r2d2.model import FileInfo


@dataclass(frozen=True, slots=True)
class FileGroup:
    """The files that make one table. `partitioned`: its folders' names hold columns, too.

    `problem` says why the table cannot be read whole, `must_keep` why it is never planned for
    deletion by itself; None where there is no such reason. `inside` are the locations of files and
    tables that lie in its folder and are not its own. `because` says why several files are one
    table, `may_be_part_of` names the folder where it may be part of such a table, `part_since` why.
    """

    location: str
    format: str
    files: tuple[FileInfo, ...]
    partitioned: bool = False
    problem: str | None = None
    must_keep: str | None = None
    inside: tuple[str, ...] = ()
    because: str | None = None
    may_be_part_of: str | None = None
    part_since: str = ""
