"""Movers, one for each kind of table and storage: a module or package with a class that is one."""

from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.mover import Mover
from r2d2.deletion.movers.objects import CopiesMover, VersionsMover
from r2d2.deletion.movers.rename import RenameMover
from r2d2.deletion.place import LakePlace, LocalPlace
from r2d2.deletion.place_objects import BucketPlace
from r2d2.errors import R2D2Error
from r2d2.model import Format
from r2d2.settings.deletion import RETENTION_DAYS


def mover_of(name: str, place: LakePlace) -> Mover:
    """The mover of this name.

    Raises:
        R2D2Error: this version of r2d2 has none, or it does not fit the storage.
    """
    if name == DeltaMover.name and isinstance(place, LocalPlace):
        return DeltaMover(place)
    if name == RenameMover.name and isinstance(place, LocalPlace):
        return RenameMover(place)
    if isinstance(place, BucketPlace):
        for mover in (VersionsMover, CopiesMover):
            if name == mover.name:
                return mover(place)
    raise R2D2Error(f"tables moved by {name!r} are of another version of r2d2, or another storage")


def mover_for(format_: str, place: LakePlace, retention_days: float = RETENTION_DAYS) -> Mover:
    """The mover for tables of the format in this storage, which can be undone for so many days.

    Raises:
        R2D2Error: there is none.
    """
    if isinstance(place, LocalPlace):
        return DeltaMover(place, retention_days) if format_ == Format.DELTA else RenameMover(place)
    if isinstance(place, BucketPlace):
        copies = place.settings.copy_in_buckets and not place.bucket.has_versions
        return CopiesMover(place) if copies else VersionsMover(place)
    raise R2D2Error("tables of this storage are not deleted: it has no way to move them")
