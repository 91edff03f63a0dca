"""The logs of Delta tables in a lake, read as they are now and committed to version by version."""

from r2d2.deletion.movers.delta_commits import encoded
from r2d2.deletion.place import LakePlace
from r2d2.formats.delta.actions import LoggedVersion, logged_version
from r2d2.formats.delta.log import log_at, newest_log
from r2d2.lake.deletions import Data
from r2d2.model import FileInfo

LOG = "_delta_log"


class DeltaLogs:
    """The logs, by their tables' locations."""

    def __init__(self, place: LakePlace) -> None:
        self.place = place
        self._newest: tuple[object, LoggedVersion | None] = ((), None)

    def newest(self, table: str) -> LoggedVersion | None:
        """The newest version; None where there is no log.

        Raises:
            UnreadableTableError: the log is damaged.
        """
        files = self.place.listing(f"{table}/{LOG}").files
        if not files:
            return None
        if self._newest[0] != files:
            log = newest_log(_by_name(table, files))
            self._newest = (files, logged_version(self.place.storage, log))
        return self._newest[1]

    def version(self, table: str, snapshot: str) -> LoggedVersion:
        """The version that a snapshot names.

        Raises:
            UnreadableTableError: the log is damaged, or does not reach back to it.
        """
        files = _by_name(table, self.place.listing(f"{table}/{LOG}").files)
        version = int(snapshot.removeprefix("delta:"))
        return logged_version(self.place.storage, log_at(files, version))

    def commit(self, table: str, version: int, entries: list[Data]) -> None:
        """Writes the version after the given one, and reads it back.

        Raises:
            FileExistsError: somebody else did.
        """
        path, content = f"{table}/{LOG}/{version + 1:020d}.json", encoded(entries)
        self.place.put_new(path, content)
        if version >= 0 and len(self.place.listing(f"{table}/{LOG}").files) == 1:
            self.place.remove(path)  # the table was dropped: one commit alone is no log
            raise FileExistsError(path)
        file = self.place.file(path)
        if file is None or self.place.storage.read(file) != content:
            # Some writers rename their commit over one that came after they had looked.
            raise FileExistsError(path)


def _by_name(table: str, files: tuple[FileInfo, ...]) -> dict[str, FileInfo]:
    return {file.path.removeprefix(f"{table}/{LOG}/"): file for file in files}
