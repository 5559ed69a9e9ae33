"""Transcript: what the engines of a run said, for those who score it and learn from it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from realbackend.sampler import Sampler
from simcore.contract import SampleView


class Said(NamedTuple):
    """The tokens of a response, and the log-probability of each when it was drawn."""

    tokens: list[int]
    log_probs: list[float]


class Transcript:
    """Responses of samples that are done.

    Args:
        sampler: what drew them, and keeps log-probabilities.

    `generated` is by request, as a cluster writes it down.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.generated: dict[int, list[int]] = {}
        self._sampler = sampler

    def of(self, sample: SampleView) -> Said:
        """Return what a sample says."""
        tokens, kept = self.generated[sample.request], self._sampler.log_probs
        return Said(tokens, [kept[sample.request, sample.prompt_tokens + place] for place in range(len(tokens))])

    def state(self, requests: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
        """Return what is known of requests, each with its prompt tokens and the tokens it has generated."""
        kept = self._sampler.log_probs
        return {
            "generated": {request: self.generated[request] for request in requests if request in self.generated},
            "log_probs": {
                request: [kept[request, prompt + place] for place in range(generated)]
                for request, (prompt, generated) in requests.items()
            },
        }

    def restore(self, state: dict[str, Any], requests: Mapping[int, tuple[int, int]]) -> None:
        """Know again what a `state` of the same requests says."""
        self.generated.update(state["generated"])
        for request, (prompt, _) in requests.items():
            for place, log_prob in enumerate(state["log_probs"][request]):
                self._sampler.log_probs[request, prompt + place] = log_prob

    def forget(self, samples: Sequence[SampleView]) -> None:
        """Nobody will ask how likely the tokens of these were."""
        for sample in samples:
            for place in range(sample.output_tokens):
                self._sampler.log_probs.pop((sample.request, sample.prompt_tokens + place), None)
