"""Totals: what a run's requests amount to, counted and summed in one pass per state."""

import numpy as np

from simcore.contract import PS_PER_S
from simcore.results.columns import RequestColumns
from simcore.results.schema import STATES
from simcore.results.slo import Slo

Metrics = dict[str, float | int | None]


class Totals:
    """Counts, tokens and dates of the requests that count."""

    def __init__(self, columns: RequestColumns, slo: Slo) -> None:
        self.counts = dict.fromkeys(STATES, 0)
        self.preemptions = 0
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.good = 0
        self.good_tokens = 0
        self.first_ps = 0
        self.last_arrival_ps = 0
        self.last_finish_ps = 0
        self.promised = slo.given
        firsts: list[int] = []
        for state in STATES:
            for arrival, preemptions in columns.pieces("arrival_ps", "preemptions", state=state):
                self.counts[state] += len(arrival)
                self.preemptions += int(preemptions.sum())
                firsts.append(int(arrival.min()))
                self.last_arrival_ps = max(self.last_arrival_ps, int(arrival.max()))
        self.first_ps = min(firsts, default=0)
        # Which class a request is of matters only where classes are promised different things.
        names = ("finished_ps", "prompt_tokens", "output_tokens", "ttft_s", "tpot_s", "e2el_s")
        class_column = "request_class" if slo.differs else "request"
        for finished, prompt, output, ttft, tpot, e2el, classes in columns.pieces(*names, class_column):
            self.last_finish_ps = max(self.last_finish_ps, int(finished.max()))
            self.prompt_tokens += int(prompt.sum())
            self.output_tokens += int(output.sum())
            good = slo.met(ttft, tpot, e2el, classes)
            self.good += int(np.count_nonzero(good))
            self.good_tokens += int(output[good].sum())

    @property
    def arrived(self) -> int:
        return sum(self.counts.values())

    @property
    def duration_s(self) -> float:
        """Seconds from the first arrival to the last finish; 0 if none finished."""
        return (self.last_finish_ps - self.first_ps) / PS_PER_S if self.counts["finished"] else 0.0

    def metrics(self, duration_s: float) -> Metrics:
        """Return counts, throughputs and goodputs over `duration_s`."""
        counts = self.counts

        def per_second(amount: int) -> float | None:
            return amount / duration_s if duration_s > 0 else None

        return {
            "arrived": self.arrived,
            "completed": counts["finished"],
            "failed": counts["rejected"] + counts["cancelled"] + counts["failed"],
            "rejected": counts["rejected"],
            "cancelled": counts["cancelled"],
            "lost_requests": counts["failed"],
            "unfinished": counts["unfinished"],
            "preemptions": self.preemptions,
            "total_input_tokens": self.prompt_tokens,
            "total_output_tokens": self.output_tokens,
            "request_throughput": per_second(counts["finished"]),
            "request_goodput": per_second(self.good) if self.promised else None,
            "slo_attainment": self.good / self.arrived if self.promised and self.arrived else None,
            "token_goodput": per_second(self.good_tokens) if self.promised else None,
            "output_throughput": per_second(self.output_tokens),
            "total_token_throughput": per_second(self.prompt_tokens + self.output_tokens),
        }
