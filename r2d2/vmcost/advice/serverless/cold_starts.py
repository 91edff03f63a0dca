"""How long a serverless worker takes to start, as a log-normal time.

    ln T ~ N(μ, σ²)     σ² = ln(1 + sd² / mean²)     μ = ln(mean) - σ² / 2
    quantile(p) = exp(μ + σ · Φ⁻¹(p))
    all of n workers have started within quantile(p^(1/n)) with probability p

The defaults are those fitted to a month of Huawei's production (Joosen et al., Serverless Cold
Starts and Where to Find Them, EuroSys 2025, https://arxiv.org/abs/2410.06145): mean 3.24 s,
standard deviation 7.10 s, and idle workers kept for a minute.
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

from r2d2.errors import UsageError


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
