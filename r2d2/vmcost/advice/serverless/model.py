"""The nouns of the choice between a cluster and serverless workers; cold starts; a step's price.

Times are whole milliseconds, as event logs have them, so that rounding up to what is billed is
exact. `serverless` states the model. A serverless worker takes a log-normal time to start:

    ln T ~ N(μ, σ²)     σ² = ln(1 + sd² / mean²)     μ = ln(mean) - σ² / 2
    quantile(p) = exp(μ + σ · Φ⁻¹(p))
    all of n workers have started within quantile(p^(1/n)) with probability p

The defaults are those fitted to a month of Huawei's production (Joosen et al., Serverless Cold
Starts and Where to Find Them, EuroSys 2025, https://arxiv.org/abs/2410.06145): mean 3.24 s,
standard deviation 7.10 s, and idle workers kept for a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import ceil, exp, log, sqrt
from statistics import NormalDist

from r2d2.errors import UsageError
from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.rent import milliseconds
from r2d2.vmcost.advice.serverless.prices import ServerlessRate, ServerlessWorker
from r2d2.vmcost.model import Billing


class Backend(str, Enum):
    """The machines on which a step runs."""

    VM = "vm"
    SERVERLESS = "serverless"


@dataclass(frozen=True, slots=True)
class RentedCluster:
    """The machines that may be rented: the price of all workers together, and the driver's.

    The driver stands for the whole run, wherever the steps are. `billing.start_up_s` is waited
    for whenever the cluster is rented; later than before the first step `again_ms` besides, which
    the log shows before its first executor: there the first step's gap has it.
    """

    usd_per_hour: Fraction
    slots: int
    driver_usd_per_hour: Fraction = Fraction(0)
    billing: Billing = field(default_factory=Billing)
    again_ms: int = 0

    @property
    def start_up_ms(self) -> int:
        """The time until a rented cluster runs tasks."""
        return milliseconds(self.billing.start_up_s)

    @property
    def idle_tail_ms(self) -> int:
        """The time for which the cluster is paid after it was let go."""
        return milliseconds(self.billing.idle_tail_s)


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """The start-up time of a worker, and how long an idle one is kept warm.

    >>> round(ColdStarts().quantile_s(0.95), 2)
    11.91
    """

    mean_s: float = 3.24
    sd_s: float = 7.10
    keep_alive_s: float = 60.0
    source: str = "Huawei's production trace, EuroSys 2025 (arXiv 2410.06145)"

    def __post_init__(self) -> None:
        if not (self.mean_s > 0 and self.sd_s >= 0 and self.keep_alive_s >= 0):
            raise UsageError(
                f"cold starts of mean {self.mean_s} s, deviation {self.sd_s} s, kept for"
                f" {self.keep_alive_s} s: expected a mean above 0 and the others 0 or more"
            )

    @property
    def sigma(self) -> float:
        """The standard deviation of the logarithm of the seconds."""
        return sqrt(log(1 + (self.sd_s / self.mean_s) ** 2))

    @property
    def mu(self) -> float:
        """The mean of the logarithm of the seconds."""
        return log(self.mean_s) - self.sigma**2 / 2

    def quantile_s(self, probability: float) -> float:
        """The seconds within which a worker has started, with this probability."""
        return exp(self.mu + self.sigma * NormalDist().inv_cdf(probability))

    def all_started_s(self, workers: int, probability: float) -> float:
        """The seconds within which all of these workers have started; 0 for none."""
        return self.quantile_s(probability ** (1 / workers)) if workers else 0.0


@dataclass(frozen=True, slots=True)
class Serverless:
    """A serverless service, as the user states it.

    `core_speed` is how fast a worker's core is beside one of the cluster's. A step waits until
    all its workers have started, for the time that suffices with `start_probability`; each cold
    worker is billed its mean start-up where `bills_cold_starts`.
    """

    worker: ServerlessWorker
    rate: ServerlessRate
    max_workers: int
    cold_starts: ColdStarts = field(default_factory=ColdStarts)
    core_speed: float = 1.0
    start_probability: float = 0.5
    bills_cold_starts: bool = True

    def __post_init__(self) -> None:
        if self.max_workers < 1 or self.core_speed <= 0 or not 0 < self.start_probability < 1:
            raise UsageError(
                f"serverless with {pluralize(str(self.max_workers), 'worker')},"
                f" core speed {self.core_speed:g} and"
                f" start probability {self.start_probability:g}: expected a worker or more,"
                " a speed above 0, a probability between 0 and 1"
            )

    @property
    def keep_alive_ms(self) -> int:
        """The time for which an idle worker stays warm."""
        return milliseconds(self.cold_starts.keep_alive_s)


@dataclass(frozen=True, slots=True)
class RunStep:
    """Stages that run at once: the gap before them, and their time in either place.

    `worker_ms` has, for each serverless worker, how long it is busy once all have started.
    """

    stages: tuple[int, ...]
    gap_ms: int
    vm_ms: int
    serverless_ms: int
    worker_ms: tuple[int, ...]

    @property
    def workers(self) -> int:
        """The serverless workers that the step takes."""
        return len(self.worker_ms)


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step where it was placed: its time with start-up, and the money of its workers."""

    stages: tuple[int, ...]
    place: Backend
    run_ms: int
    workers: int = 0
    cold_workers: int = 0
    worker_usd: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """The backend of each step, the run's time, the cluster's rentals, and the prices of all."""

    placed: tuple[PlacedStep, ...]
    elapsed_ms: int
    rentals_ms: tuple[int, ...]
    cluster_usd: Fraction
    driver_usd: Fraction
    worker_usd: Fraction

    @property
    def usd(self) -> Fraction:
        """The price of the run: cluster, driver and serverless workers."""
        return self.cluster_usd + self.driver_usd + self.worker_usd


def cold_wait_ms(cold_workers: int, serverless: Serverless) -> int:
    """The time that a step waits for so many workers that start cold."""
    cold_starts = serverless.cold_starts
    return milliseconds(cold_starts.all_started_s(cold_workers, serverless.start_probability))


def work_quanta(step: RunStep, cold_workers: int, serverless: Serverless) -> int:
    """The quanta that are billed for a step's workers, the last ones having started cold."""
    start_ms = milliseconds(serverless.cold_starts.mean_s) if serverless.bills_cold_starts else 0
    warm = step.workers - cold_workers
    worker = serverless.worker
    return _quanta(step.worker_ms[:warm], 0, worker) + _quanta(
        step.worker_ms[warm:], start_ms, worker
    )


def worker_quantum_usd(serverless: Serverless) -> Fraction:
    """The price of a quantum of one worker."""
    return serverless.rate.usd_per_second(serverless.worker) * serverless.worker.quantum_s


def _quanta(busy_ms: Sequence[int], start_ms: int, worker: ServerlessWorker) -> int:
    quantum_ms, minimum_ms = worker.quantum_s * 1000, worker.minimum_s * 1000
    least = ceil(minimum_ms / quantum_ms)
    numerator, denominator = quantum_ms.numerator, quantum_ms.denominator
    return sum(max(least, -(-(busy + start_ms) * denominator // numerator)) for busy in busy_ms)
