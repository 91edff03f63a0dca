"""Spot machines against machines on demand: what interruptions cost in time and money.

compare_spot(plan: Plan, offer: SpotOffer, billing: Billing = Billing(),
             deadline_s: float | None = None, trials: int = 1000, seed: int = 0) -> SpotReport
SpotOffer(count, slots_per_vm, on_demand: Price, spot: Price, interruptions_per_vm_hour: float,
          replacement_s: float = 120.0, driver: Price | None = None)
SpotReport.on_demand, .spot: each with mean and p95 of seconds and USD and P(miss)
"""
