"""Mock: placeholders come as many, and when, as the simulator says, whatever mechanism is on."""

import asyncio

import pytest

from policies.disaggregated import Disaggregated
from policies.prefill_first import PrefillFirst
from simcore.simulator.settings import Mechanisms
from tests.property.cluster.traffic import Traffic
from tests.serve.site import MS, aiohttp, ask, mock, post, serving

COMPLETIONS = "/v1/completions"


def test_a_call_takes_as_long_as_its_request_would():
    traffic = Traffic([])
    with serving(mock(traffic, step_ms=10)) as site:
        post(site, COMPLETIONS, {"prompt": "hello", "max_tokens": 4})
    (row,) = traffic.kept["requests"]
    arrival, scheduled, first, last = row[4:8]
    assert (scheduled - arrival, first - arrival, last - first) == (0, 10 * MS, 30 * MS)


TIGHT = {"kv_blocks": 12, "block_tokens": 4}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mechanisms": Mechanisms(prefix_cache="cold")},
        {"mechanisms": Mechanisms(preemption="swap", host_blocks=40)},
        {"mechanisms": Mechanisms(preemption="swap", swap="async", host_blocks=40)},
        {"mechanisms": Mechanisms(schedule_ahead=1)},
        {"mechanisms": Mechanisms(sm_split=(50, 50))},
        {"roles": ("prefill", "decode"), "make_router": Disaggregated, "kv_blocks": 60},
        {"make_scheduler": PrefillFirst},
    ],
    ids=["plain", "prefix cache", "swap", "swap asynchronously", "schedule ahead", "two lanes", "handed on", "batches"],
)
def test_every_token_comes_once_however_tight_it_is(given):
    with serving(mock(**(TIGHT | given))) as site:

        async def crowd():
            async with aiohttp.ClientSession() as session:
                bodies = [{"prompt": [i] * (3 + i % 9), "max_tokens": 1 + i % 12} for i in range(30)]
                return await asyncio.gather(*(ask(session, site, COMPLETIONS, body) for body in bodies))

        answers = asyncio.run(crowd())
    assert [answer["usage"]["completion_tokens"] for _, answer in answers] == [1 + i % 12 for i in range(30)]
