"""Served: engines in real time that answer calls from outside: their prompts are read, their tokens go out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from realbackend.pace import ModelPace
from realbackend.texts import Texts
from realbackend.wall import WallCluster
from realbackend.work import Work
from simcore.books.request import Request
from simcore.simulator.calls import Call, Listener, News
from simcore.simulator.served import OUTSIDE, Served
from simcore.simulator.settings import Settings, Sink
from simcore.simulator.stepper import SimLane

if TYPE_CHECKING:
    from realbackend.run import Bench


class ServedTexts(Texts):
    """Texts whose prompts are those of the calls."""

    calls: dict[int, Call]
    """By request; shared with the run."""

    def _prompt(self, request: Request) -> list[int]:
        return list(self.calls[request.id].prompt)


class ServedCluster(WallCluster, Served):
    """A run on engines, in real time, open to calls. Arguments as of `WallCluster`; `ends` is what calls say."""

    texts: ServedTexts

    def open_to(self, listener: Listener) -> None:
        super().open_to(listener)
        self.texts.calls = self.calls

    def note(self, lane: SimLane, work: list[Work], tokens: list[int]) -> None:
        super().note(lane, work, tokens)
        news: list[News] = []
        for each, token in zip((each for each in work if each.gives), tokens, strict=True):
            request = self.live[each.request]
            self.gave(request, each.start + len(each.tokens) - request.prompt, token, news)
        self.tell(news)

    def ended(
        self,
        lane: SimLane,
        firsts: list[Request] | None,
        finished: list[Request],
        now: int,
        handed: Sequence[Request] = (),
    ) -> None:
        super().ended(lane, firsts, finished, now, handed)
        for request in finished:
            del self.generated[request.id]  # it was told; a server runs for long

    def ends_text(self, request: Request, position: int, token: int) -> bool:
        call = self.calls[request.id]
        return token in call.ends and position - request.prompt + 1 >= call.min_tokens


def served_cluster(bench: "Bench", settings: Settings, sink: Sink) -> ServedCluster:
    """Return a run, not yet open, on engines of what is loaded on a bench."""
    hosted = settings.mechanisms.host_blocks
    most = settings.make_scheduler().max_num_seqs if bench.real.device == "cuda" else 0
    return ServedCluster(
        settings,
        OUTSIDE,
        sink,
        make_engine=lambda _: bench.engine(settings.kv_blocks, settings.block_tokens, hosted, most),
        pace=ModelPace(settings.cost),
        texts=ServedTexts(bench.decoder.shape.vocabulary),
    )
