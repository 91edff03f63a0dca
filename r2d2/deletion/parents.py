"""The parents of deleted tables as they are now, and what their recipes give today."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.deletion import record
from r2d2.deletion.place import LakePlace
from r2d2.errors import R2D2Error, RecipeRunError
from r2d2.lake.deletions import Data, Deletion
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.plan.check import settings_of_find
from r2d2.plan.rebuild import ParentsNow, RebuiltTable, made_again, rebuild_table
from r2d2.recipes.grammar import Project, Residual, Select
from r2d2.recipes.json import from_data
from r2d2.storage.local import read_whole
from r2d2.storage.output import json_text


@dataclass(frozen=True, slots=True)
class KeptResiduals:
    """The residuals beside the record of a deletion, in the lake."""

    place: LakePlace
    folder: str

    def __call__(self, residual: Residual) -> pa.Table:
        """The file's rows.

        Raises:
            RecipeRunError: it is gone, or its bytes are not the plan's.
        """
        path = f"{self.folder}/{residual.location}"
        file = self.place.file(path)
        content = b"" if file is None else read_whole(self.place.storage, file)
        if hashlib.sha256(content).hexdigest() != residual.sha256:
            told = "is gone" if file is None else "is not the residual that the plan was made with"
            raise RecipeRunError(f"{path} {told}")
        return pq.read_table(pa.BufferReader(content))


class LakeNow:
    """A lake in which parents are looked for; it is listed once for each way of grouping."""

    def __init__(self, place: LakePlace) -> None:
        self.place = place
        self._inventories: dict[str, Inventory] = {}

    def inventory(self, found_with: Data) -> Inventory:
        """The lake's inventory under the settings of a plan's `find`."""
        key = json_text(found_with)
        if key not in self._inventories:
            settings = settings_of_find({"find": found_with})
            self._inventories[key] = take_inventory(self.place.storage, settings)
        return self._inventories[key]

    def look(self, deletions: Iterable[Deletion]) -> None:
        """Lists the lake as these need it; where that fails, each of them tells it."""
        for deletion in deletions:
            with suppress(R2D2Error):
                self.inventory(deletion.record["find"])

    def parents(self, deletion: Deletion) -> ParentsNow:
        """The lake in which a deleted table's parents are."""
        plan = record.plan_of(self.place.storage.url, deletion)
        return ParentsNow.of(plan, self.place.storage, self.inventory(plan["find"]))

    def residuals(self, deletion: Deletion) -> "KeptResiduals":
        """The residuals that were kept of the table's recipe."""
        return KeptResiduals(self.place, record.folder_of(deletion.id))

    def check(self, deletion: Deletion) -> tuple[str, ...]:
        """Passes where the parents give the table's rows; sentences on those that changed.

        Raises:
            R2D2Error: they do not.
        """
        entry = deletion.record["entry"]
        with made_again(self.parents(deletion), self.residuals(deletion), entry) as (_, told):
            return told

    def rebuild(self, deletion: Deletion, to: Path) -> RebuiltTable:
        """The deleted table, written below a folder from its parents.

        Raises:
            R2D2Error: it does not come back.
        """
        entry = deletion.record["entry"]
        return rebuild_table(self.parents(deletion), self.residuals(deletion), entry, to)


def families(deletions: Sequence[Deletion]) -> list[list[Deletion]]:
    """The deletions in groups: those that are parts of one parent at one snapshot are together.

    No table is in a group twice.
    """
    found: dict[tuple[str, ...], list[Deletion]] = {}
    for deletion in deletions:
        entry, record = deletion.record["entry"], deletion.record
        key: tuple[str, ...] = (deletion.id,)
        if isinstance(from_data(entry["recipe"]), Project | Select):
            (parent,) = entry["parents"]
            told = record["parents"][parent]
            key = (parent, told["snapshot"], told["files_sha256"], json_text(record["find"]))
        if any(other.table == deletion.table for other in found.get(key, ())):
            key = (deletion.id,)
        found.setdefault(key, []).append(deletion)
    return list(found.values())
