"""Recipes on the local engine: found by processes side by side, run one by one in this one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from r2d2.engines.local_workers import answers
from r2d2.model import Table
from r2d2.recipes.find.batching import bundles
from r2d2.recipes.find.request import AnyFamily, Proposal
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage


@dataclass(frozen=True, slots=True)
class LocalRecipes:
    """What a plan asks of an engine, answered by this machine."""

    storage: Storage
    settings: Settings

    def propose(self, families: Sequence[AnyFamily]) -> Iterator[Proposal]:
        """The proposals for all of the families, in any order."""
        questions = [[families[number] for number in bundle] for bundle in bundles(families)]
        for proposals in answers(
            self.storage, self.settings.types, questions, self.settings.threads
        ):
            yield from proposals

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder.

        One by one, so that the seconds are those of the recipe alone.
        """
        for child, recipe in work:
            yield try_out(self.storage, tables, tables[child], recipe, folder)
