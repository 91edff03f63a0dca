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
from r2d2.engines.spark.jobs import MOST_PARTITIONS, SparkJobs, reads_labelled
from r2d2.engines.spark.session import TaskKilledError, spark_errors
from r2d2.model import Table
from r2d2.recipes.find import search
from r2d2.recipes.find.request import AnyRequest, Proposal, batches, no_recipes
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
        for proposals in self._answers(search_batch, work, _no_proposals):
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
            answers = list(self._answers(run_one, questions, _no_trial))
        for trial, files in answers:
            for location, content in files.items():
                path = folder / location
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            yield trial

    def _answers(
        self,
        answer: Callable[[Any], Any],
        questions: Sequence[Any],
        no_answer: Callable[[Any, str], Any],
    ) -> Iterator[Any]:
        """The answers in turn; `no_answer` gives that to a question of which the workers died."""
        answers: dict[int, Any] = {}
        left = list(enumerate(questions))
        while left:
            try:
                with spark_errors():
                    jobs, work = SparkJobs(self.session), partial(_answered, answer)
                    told = jobs.spread(map(dumps, left), work, ANSWER_DDL).toArrow()
            except TaskKilledError as error:
                if len(left) > MOST_PARTITIONS:
                    raise
                number, question = left.pop(error.task)
                answers[number] = no_answer(question, str(error))
            else:
                columns = (told.column(name).to_pylist() for name in ("number", "answer"))
                for number, content in zip(*columns, strict=True):
                    answers[number] = loads(content)
                left = []
        yield from (answers[number] for number in sorted(answers))


def _answered(answer: Callable[[Any], Any], payloads: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    for payload in payloads:
        number, question = loads(payload)
        content = pa.array([dumps(answer(question))], pa.binary())
        yield pa.record_batch({"number": pa.array([number], pa.int32()), "answer": content})


def _proposals(storage: Storage, settings: Settings, batch: Sequence[AnyRequest]) -> list[Proposal]:
    counts = RowCounts(storage, settings.types, memory_bytes=settings.memory_bytes)
    return search(batch, counts)


def _no_proposals(batch: Sequence[AnyRequest], reason: str) -> list[Proposal]:
    return [proposal for request in batch for proposal in no_recipes(request, reason)]


def _no_trial(
    question: tuple[Mapping[str, Table], str, Recipe], reason: str
) -> tuple[Trial, dict[str, bytes]]:
    return Trial(question[2], reason), {}


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
