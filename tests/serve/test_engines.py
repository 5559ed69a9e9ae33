"""Engines behind the server: what comes back is what the model says to this prompt, whoever else is served."""

import asyncio

import pytest

from realbackend.pace import ModelPace
from realbackend.served import ServedCluster, ServedTexts
from simcore.simulator.served import OUTSIDE
from simcore.simulator.settings import Mechanisms
from tests.property.cluster.traffic import Traffic
from tests.real.hash_engine import VOCABULARY, HashEngine, undisturbed
from tests.real.runs import settings
from tests.serve.site import aiohttp, ask, post, serving, stream

COMPLETIONS = "/v1/completions"
TIGHT = {"instances": 1, "kv_blocks": 12, "block_tokens": 4}


def engines(**given):
    """Return a run on hash engines of two instances."""
    what = settings(**given)

    def make_engine(_):
        return HashEngine(what.kv_blocks, what.block_tokens, what.mechanisms.host_blocks)

    texts = ServedTexts(VOCABULARY)
    return ServedCluster(what, OUTSIDE, Traffic([]), make_engine=make_engine, pace=ModelPace(what.cost), texts=texts)


@pytest.mark.parametrize(
    "mechanisms",
    [
        Mechanisms(),
        Mechanisms(prefix_cache="cold"),
        Mechanisms(preemption="swap", host_blocks=40),
        Mechanisms(schedule_ahead=1),
        Mechanisms(sm_split=(50, 50)),
    ],
    ids=["plain", "prefix cache", "swap", "schedule ahead", "two lanes"],
)
def test_each_gets_the_tokens_it_gets_alone_however_tight_it_is(mechanisms):
    prompts = [[i, i + 1, i + 2] * (1 + i % 4) for i in range(30)]
    with serving(engines(mechanisms=mechanisms, **TIGHT)) as site:

        async def crowd():
            async with aiohttp.ClientSession() as session:
                bodies = [{"prompt": p, "max_tokens": 3 + len(p), "return_token_ids": True} for p in prompts]
                return await asyncio.gather(*(ask(session, site, COMPLETIONS, body) for body in bodies))

        answers = asyncio.run(crowd())
    for prompt, (_, answer) in zip(prompts, answers, strict=True):
        assert answer["choices"][0]["token_ids"] == undisturbed(prompt, 3 + len(prompt))


def test_a_stream_carries_the_tokens_in_order():
    with serving(engines()) as site:
        body = {"prompt": [5, 6], "max_tokens": 6, "stream": True, "return_token_ids": True}
        *chunks, _ = stream(site, COMPLETIONS, body)
    assert [chunk["choices"][0]["token_ids"] for chunk in chunks] == [[t] for t in undisturbed([5, 6], 6)]


def test_a_text_stops_at_its_end_unless_that_is_ignored_or_comes_too_early():
    says = undisturbed([5, 6], 10)
    ends = frozenset({says[3]})
    assert says[3] not in says[:3]
    body = {"prompt": [5, 6], "max_tokens": 10, "return_token_ids": True}
    with serving(engines(), ends=ends) as site:
        stopped = post(site, COMPLETIONS, body)[1]["choices"][0]
        assert stopped["token_ids"] == says[:4]
        assert stopped["finish_reason"] == "stop"
        for more in ({"ignore_eos": True}, {"min_tokens": 5}):
            whole = post(site, COMPLETIONS, body | more)[1]["choices"][0]
            assert whole["token_ids"] == says
            assert whole["finish_reason"] == "length"
        assert post(site, COMPLETIONS, body | {"stop_token_ids": [says[1]]})[1]["choices"][0]["token_ids"] == says[:2]


def test_a_turn_finds_prompt_and_answer_of_the_one_before_in_the_cache():
    run = engines(instances=1, block_tokens=4, mechanisms=Mechanisms(prefix_cache="cold"))
    with serving(run) as site:
        first = [1, 2, 3, 4, 5, 6]
        answer = post(site, COMPLETIONS, {"prompt": first, "max_tokens": 7, "return_token_ids": True})[1]
        second = [*first, *answer["choices"][0]["token_ids"], 9, 9, 9]
        answer = post(site, COMPLETIONS, {"prompt": second, "max_tokens": 5, "return_token_ids": True})[1]
        assert answer["choices"][0]["token_ids"] == undisturbed(second, 5)
    # Of 6 + 7 tokens the last one's KV was never written: three full blocks of four.
    assert site.outcome.counters["prefix_hit_tokens"] == 12


class Breaking(HashEngine):
    def run(self, work):
        raise MemoryError("no room")


def test_who_is_on_an_engine_that_fails_hears_so(capsys):
    what = settings(instances=1, mechanisms=Mechanisms(lost="failed"))
    run = ServedCluster(
        what,
        OUTSIDE,
        Traffic([]),
        make_engine=lambda _: Breaking(what.kv_blocks, what.block_tokens, 0),
        pace=ModelPace(what.cost),
        texts=ServedTexts(VOCABULARY),
    )
    with serving(run) as site:
        status, answer = post(site, COMPLETIONS, {"prompt": [1], "max_tokens": 2})
    assert status == 503
    assert answer["error"]["code"] == "failed"
    assert "no room" in capsys.readouterr().err


def test_a_decoder_of_torch_answers_as_it_does_alone():
    from realbackend.run import Bench, RealSettings
    from realbackend.served import served_cluster
    from tests.real.torch_here import alone

    bench = Bench(RealSettings(weights="random:nano", clock="wall"))
    with serving(served_cluster(bench, settings(instances=1), Traffic([]))) as site:
        body = {"prompt": "hello", "max_tokens": 8, "return_token_ids": True}
        answer = post(site, COMPLETIONS, body)[1]
    assert answer["choices"][0]["token_ids"] == alone(bench.decoder, list(b"hello"), 8)
