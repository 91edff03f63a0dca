"""Advice on an application: sentences with their figures, each marked as modelled.

Packing needs nothing but the machines. Right-size, spot and serverless are asked for by their
sections in the settings. Slow hosts are looked for in all runs of one name together.
"""

from collections.abc import Callable, Iterator
from functools import partial

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.case import AdviceCase, RepeatedRuns
from r2d2.vmcost.advice.packing import packing_advice
from r2d2.vmcost.advice.right_size.report import right_size_advice
from r2d2.vmcost.advice.serverless.report import serverless_advice
from r2d2.vmcost.advice.slow_hosts import slow_host_advice
from r2d2.vmcost.advice.spot import spot_advice
from r2d2.vmcost.events import fault_text
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed, Data
from r2d2.vmcost.settings import VmCostSettings


def advice_of(
    costed: Costed, runs: RepeatedRuns, prices: PriceList, settings: VmCostSettings
) -> tuple[Data, ...]:
    """All advice on the application; `runs` are those of its name, itself among them.

    Advice that these machines do not allow is replaced by its reason.
    """
    asked: list[tuple[str, Callable[[], Iterator[Data]]]] = [
        ("slow_host", lambda: slow_host_advice(costed.application, runs.degradation))
    ]
    if costed.facts.cluster is not None and costed.bill.usd is not None:
        case = AdviceCase(costed, costed.facts.cluster, runs, prices, settings)
        asked += [(kind, partial(advise, case)) for kind, advise in _wanted(settings)]
    return tuple(each for kind, advise in asked for each in _said(kind, advise))


def _said(kind: str, advise: Callable[[], Iterator[Data]]) -> list[Data]:
    try:
        return list(advise())
    except R2D2Error as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  an advice's fault must not cost the bill
        reason = fault_text(error)
    return [{"kind": kind, "told": f"cannot be said: {reason}", "basis": "modelled"}]


def _wanted(
    settings: VmCostSettings,
) -> Iterator[tuple[str, Callable[[AdviceCase], Iterator[Data]]]]:
    yield "packing", packing_advice
    if settings.right_size:
        yield "right_size", partial(right_size_advice, settings=settings.right_size)
    if settings.spot:
        yield "spot", partial(spot_advice, settings=settings.spot)
    if settings.serverless:
        yield "serverless", partial(serverless_advice, settings=settings.serverless)
