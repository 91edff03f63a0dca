"""Recipes on the local engine: families are proposed by threads, chosen recipes run one by one."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from r2d2.config import Settings
from r2d2.lake.storage import Storage
from r2d2.model import Table
from r2d2.rebuild.counting import Counts
from r2d2.rebuild.family import AnyFamily, Proposal
from r2d2.rebuild.proposals import asked, proposals
from r2d2.rebuild.trial import Trial, try_out
from r2d2.recipes.grammar import Recipe


@dataclass(frozen=True, slots=True)
class LocalRecipes:
    """What a plan asks of an engine, answered by this process."""

    storage: Storage
    settings: Settings

    def propose(self, families: Sequence[AnyFamily]) -> Iterator[Proposal]:
        """The proposals of every family, in the families' order."""
        counts = Counts(self.storage, self.settings.types)
        counts.prepare(asked(families))
        with ThreadPoolExecutor(self.settings.threads) as pool:
            for found in pool.map(lambda family: proposals(family, counts), families):
                yield from found

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder.

        One by one, so that the seconds are those of the recipe alone.
        """
        for child, recipe in work:
            yield try_out(self.storage, tables, tables[child], recipe, folder)
