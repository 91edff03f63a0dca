"""The cheapest machines that still meet a deadline: every candidate with its odds and its price.

right_size(prices: Sequence[Price], counts: Sequence[int], run_time: RunTime, spread: Spread,
           deadline_s: float, probability: float = 0.95, billing: Billing = Billing(),
           driver: Price | None = None, memory_mib_per_slot: int = 0) -> RightSize
run_time: ReplayTime(app, task_cpus=1) or ErnestTime(model, scale=1.0); own ones need
           expected(price: Price, count: int) -> Prediction
spread:    Spread.of(ratios) (measured / modelled, e.g. Ernest.left_out_ratios) or
           Spread.given(relative_sd)
RightSize.candidates: tuple[Candidate, ...], cheapest first; RightSize.best: Candidate | None
"""
