"""`[deletion]`: how long deleted tables can be undone, and how they are moved in buckets."""

from dataclasses import dataclass
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.settings.toml import Kinds, read_toml

RETENTION_DAYS = 30.0


MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class DeletionSettings:
    """`[deletion]`: a deleted table can be undone for so many days, and is not purged before.

    `copy_in_buckets`: in a bucket without versions a table is copied into quarantine, compared, and
    then deleted; else r2d2 only reports there. `hold_delta_parents`: Delta tables that deleted ones
    are rebuilt from refuse deletes, by `delta.appendOnly`, until nothing rests on them any more.
    """

    retention_days: float = RETENTION_DAYS
    copy_in_buckets: bool = False
    hold_delta_parents: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.retention_days <= MOST_DAYS:
            raise UsageError(f"retention_days = {self.retention_days}: give 0 to {MOST_DAYS}")


DELETION_SECTIONS: Kinds = {"deletion": DeletionSettings}


def load_deletion_settings(path: Path | None) -> DeletionSettings:
    """The settings of a TOML file over the defaults.

    Raises:
        UsageError: the file is missing or no TOML, or a key, type or value is wrong.
    """
    if path is None:
        return DeletionSettings()
    found = read_toml(path, DELETION_SECTIONS).values()
    return found.get("deletion", DeletionSettings())  # type: ignore[no-any-return]
