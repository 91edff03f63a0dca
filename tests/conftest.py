"""What every test shares: the engines, the lakes beside a checkout, and no silent skips."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import SECRET

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("R2D2_SHARED", REPOSITORY.parent / "shared"))

# What a process needs that runs tests: its own memory, and once a JVM's.
WORKER_BYTES = 3 << 30
HEAVY = ("spark", "shared", "browser", "slow")
# What a test asks for that writes files or starts a server.
EFFECTS = {"tmp_path", "tmp_path_factory", "moto", "small", "bucket", "mortal_bucket"}
# Far above what a test may take that is called fast, so that a busy machine fails none.
FAST_CPU_S = 4
ENDPOINT = ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_REGION")
SPARK_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    # Else a VACUUM of three files has ten thousand tasks.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
    # Small queries end before a compiler or a collector with many threads would pay. With one
    # compiler the JVM keeps 48 MB of code, which Delta's tests fill; then it compiles without end.
    "spark.driver.extraJavaOptions": (
        "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    ),
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}

# On a busy machine any example may take long, which is no failure. Tests of examples alone run
# without Hypothesis too.
if importlib.util.find_spec("hypothesis"):
    import hypothesis

    hypothesis.settings.register_profile("r2d2", deadline=None)
    hypothesis.settings.load_profile("r2d2")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for each core that has the memory; none for a few tests or to watch them."""
    chosen = config.option.file_or_dir
    few = config.option.keyword or (chosen and not all(Path(name).is_dir() for name in chosen))
    if few or config.option.capture == "no" or config.option.markexpr == "fast":
        return 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // WORKER_BYTES))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what this machine cannot run, and says why."""
    java, chromium = shutil.which("java"), shutil.which("chromium")
    for item in items:
        if not any(map(item.get_closest_marker, HEAVY)) and not EFFECTS & _asked(item):
            item.add_marker(pytest.mark.fast)
        if item.get_closest_marker("spark") and java is None:
            item.add_marker(pytest.mark.skip(reason="no Java on the PATH: Spark is left out"))
        if item.get_closest_marker("browser") and chromium is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium on the PATH: pages are not drawn"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="no shared lakes beside the checkout"))


def _asked(item: pytest.Item) -> set[str]:
    """The fixtures that a test asks for, and those that these ask for."""
    return set(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lets no fast test start a process."""
    if not item.get_closest_marker("fast"):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", _refused)
        return (yield)


def _refused(*command: object, **options: object) -> None:
    pytest.fail("a fast test starts a process: mark it slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Lets no fast test take long."""
    began = time.process_time()
    outcome = yield
    taken = time.process_time() - began
    if item.get_closest_marker("fast") and taken > FAST_CPU_S:
        pytest.fail(f"a fast test takes {taken:.1f} CPU seconds: mark it slow", pytrace=False)
    return outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where skips are forbidden, names them as what failed the run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("R2D2_FAIL_ON_SKIP"):
        terminalreporter.write_line(f"{len(skipped)} tests were skipped, which CI forbids")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run where something was skipped that this machine could have run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("R2D2_FAIL_ON_SKIP"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def written_json_has_its_schema() -> Iterator[None]:
    """All JSON that r2d2 writes in this process is of its schema."""
    if importlib.util.find_spec("jsonschema") is None:  # in the environment of the oldest pair
        yield
        return
    from tests.support.schemas import watching_what_is_written

    with watching_what_is_written():
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the lakes of known truth; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("no shared lakes beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small Spark with Delta, for all tests of the run."""
    from delta import configure_spark_with_delta_pip
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # What workers need of a store's credentials is in the environment that the JVM starts with.
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AKIATEST")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", SECRET)
    # The JVM takes file names' encoding from the locale.
    os.environ.update(SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable, LC_ALL="C.UTF-8")
    builder = SparkSession.builder.master("local[2]")
    warehouse = tmp_path_factory.mktemp("warehouse")
    for key, value in {**SPARK_SETTINGS, "spark.sql.warehouse.dir": str(warehouse)}.items():
        builder = builder.config(key, value)
    # One test's server must not become every later test's: endpoints travel with the storage.
    own = {name: os.environ.pop(name) for name in ENDPOINT if name in os.environ}
    session = configure_spark_with_delta_pip(builder).getOrCreate()
    os.environ.update(own)
    session.sparkContext.setLogLevel("OFF")
    yield session
    gateway = SparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(30)


@pytest.fixture(params=["local", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; every contract test runs on each."""
    if request.param == "spark":
        request.getfixturevalue("spark")
    return str(request.param)


@pytest.fixture
def footers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds come from the footers of small Parquet files too, not from their rows."""
    from r2d2.formats.parquet import read as parquet

    monkeypatch.setattr(parquet, "CACHED_ROWS", 0)


@pytest.fixture(params=["rows", "footers"])
def bounds_from(request: pytest.FixtureRequest) -> str:
    """Where the bounds of small Parquet files come from."""
    if request.param == "footers":
        request.getfixturevalue("footers")
    return str(request.param)
