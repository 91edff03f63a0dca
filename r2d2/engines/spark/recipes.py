"""Recipes on Spark: each executor's core searches batches of requests, and runs recipes.

The executors read the lake natively, as in the scans of `find`; Spark carries requests and answers.
A parent is read by one task; one whose rows exceed `memory_bytes` is read in passes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from r2d2.engines.pickling import dumps, loads
from r2d2.engines.spark.jobs import SparkJobs, reads_labelled
from r2d2.engines.spark.session import spark_errors
from r2d2.model import Table
from r2d2.recipes.find import search
from r2d2.recipes.find.request import AnyRequest, Proposal, batches
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Recipe, parents
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage
from r2d2.storage.scratch import scratch_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ANSWER_DDL = "number int, answer binary"


@dataclass(frozen=True, slots=True)
class SparkRecipes:
    """The search and the trials of recipes on a session's executors."""

    storage: Storage
    settings: Settings
    session: "SparkSession"

    def propose(self, requests: Sequence[AnyRequest]) -> Iterator[Proposal]:
        """The proposals for all requests, in any order."""
        work = [[requests[number] for number in batch] for batch in batches(requests)]
        search_batch = partial(_proposals, self.storage, self.settings)
        for proposals in self._answers(search_batch, work):
            yield from proposals

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """The trial of each child's recipe; residuals are written into the folder."""
        questions = [
            ({name: tables[name] for name in (child, *parents(recipe))}, child, recipe)
            for child, recipe in work
        ]
        read_bytes = sum(table.size_bytes for read, _, _ in questions for table in read.values())
        with reads_labelled(self.session, read_bytes):
            run_one = partial(_trial, self.storage, self.settings.memory_bytes)
            answers = list(self._answers(run_one, questions))
        for trial, files in answers:
            for location, content in files.items():
                path = folder / location
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            yield trial

    def _answers(self, answer: Callable[[Any], Any], questions: Sequence[Any]) -> Iterator[Any]:
        payloads = (dumps((number, question)) for number, question in enumerate(questions))
        with spark_errors():
            jobs = SparkJobs(self.session)
            answers = jobs.spread(payloads, partial(_answered, answer), ANSWER_DDL).toArrow()
        numbered = zip(
            answers.column("number").to_pylist(), answers.column("answer").to_pylist(), strict=True
        )
        for _, content in sorted(numbered):
            yield loads(content)


def _answered(answer: Callable[[Any], Any], payloads: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    for payload in payloads:
        number, question = loads(payload)
        content = pa.array([dumps(answer(question))], pa.binary())
        yield pa.record_batch({"number": pa.array([number], pa.int32()), "answer": content})


def _proposals(storage: Storage, settings: Settings, batch: Sequence[AnyRequest]) -> list[Proposal]:
    counts = RowCounts(storage, settings.types, memory_bytes=settings.memory_bytes)
    return search(batch, counts)


def _trial(
    storage: Storage, memory_bytes: int, question: tuple[Mapping[str, Table], str, Recipe]
) -> tuple[Trial, dict[str, bytes]]:
    tables, child, recipe = question
    with scratch_folder() as scratch:
        trial = try_out(storage, tables, tables[child], recipe, scratch, memory_bytes)
        files = {
            path.relative_to(scratch).as_posix(): path.read_bytes()
            for path in scratch.rglob("*")
            if path.is_file()
        }
    return trial, files
