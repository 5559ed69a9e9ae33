"""Replay: a run whose server is the simulator is met exactly, and what the server does more is found."""

from dataclasses import replace

import numpy as np
import pytest

from simcore.cost.layers.cost import Terms
from simcore.validation.ablation import ablations
from simcore.validation.interval import intervals
from simcore.validation.latencies import errors, latencies, measured, percentiles
from simcore.validation.replay import replay
from simcore.validation.server_run import read_run
from simcore.validation.setting import prepare
from simcore.validation.steps import recover
from simcore.validation.workload import RunWorkload, shared_heads
from tests.validation.conftest import OVERHEAD_S
from tests.validation.made_run import asked


@pytest.fixture(scope="module")
def setting(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.json"
    path.write_text(
        '{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 100, "num_attention_heads": 4, '
        '"num_key_value_heads": 2, "head_dim": 10, "vocab_size": 10, "intermediate_size": 200}'
    )
    return prepare(read_run(folder / "run"), folder / "profile", model=str(path))


def test_with_what_it_does_more_declared_the_server_is_met_exactly(setting):
    cost = setting.cost(Terms(prefill_step_overhead_s=OVERHEAD_S))
    done = replay(setting.run, cost, setting.kv_blocks)
    assert done.missed_hits == 0
    assert max(map(abs, errors(done.latencies, measured(setting.run)).values())) < 1e-6
    assert np.array_equal(done.series.running, setting.run.series.running)


def test_without_it_every_latency_is_too_short(setting):
    found = errors(replay(setting.run, setting.cost(), setting.kv_blocks).latencies, measured(setting.run))
    assert found["TTFT mean"] < -0.02
    assert found["E2EL p99"] < 0


def test_the_server_s_steps_are_recovered_and_what_prompts_add_is_seen(setting):
    gaps = recover(setting.run, setting.cost())
    done = replay(setting.run, setting.cost(Terms(prefill_step_overhead_s=OVERHEAD_S)), setting.kv_blocks)
    # The steps before the first token, and the one for nobody after the last, are between no two dates.
    assert done.iterations - 4 <= gaps.steps.sum() <= done.iterations
    alone = gaps.prefills == 0
    assert alone.any()
    assert np.abs(gaps.took_s - gaps.model_s)[alone].max() < 0.05 * gaps.took_s[alone].max()
    longer_s = (gaps.took_s - gaps.model_s)[~alone] / gaps.prefills[~alone]
    assert np.median(longer_s) == pytest.approx(OVERHEAD_S, rel=0.05)


def test_parts_are_worth_what_leaving_them_out_changes(setting):
    found = {variant.name: variant for variant in ablations(setting, Terms())}
    changed = {name: errors(v.replayed.latencies, v.against)["E2EL mean"] for name, v in found.items()}
    assert changed["no small kernels"] < 0
    assert changed["no prefix hits"] > 0
    assert changed["5% fewer KV blocks"] == 0
    few = next(name for name in found if name.endswith(" used"))
    assert found[few].replayed.preemptions > 0
    assert changed[few] > 0


def test_an_interval_has_the_prediction_in_it_and_none_without_error(setting):
    base = percentiles(replay(setting.run, setting.cost(), setting.kv_blocks).latencies)
    off = {"decode attention": np.array([-0.1, 0.1]), "dense layers": np.array([-0.05, 0.05])}
    found = intervals(setting.run, setting.cost(), setting.kv_blocks, off, range(6))
    low, high = found["E2EL mean"]
    assert low < base["E2EL mean"] < high
    none = {kind: np.zeros(3) for kind in off}
    for name, bounds in intervals(setting.run, setting.cost(), setting.kv_blocks, none, range(2)).items():
        assert bounds == pytest.approx((base[name], base[name]), rel=1e-6)


def test_too_few_blocks_for_a_request_say_so(setting):
    with pytest.raises(ValueError, match=r"the server finished 60 requests, the simulator \d+ \(\d+ need more than 5"):
        replay(setting.run, setting.cost(), 5)


# -- prompts that the cache finds -------------------------------------------------------------------------------------


def test_each_request_shares_as_many_tokens_as_the_server_s_cache_found():
    run = asked()
    heads = shared_heads(run)
    shared = [heads.ends[low:high].tolist() for low, high in zip(heads.offsets, heads.offsets[1:], strict=False)]
    lender = next(i for i, ends in enumerate(shared) if ends)
    assert (lender, shared[lender], shared[20], shared[41]) == (0, [32, 48], [32], [32, 48])
    assert sum(map(bool, shared)) == 3
    assert next(iter(RunWorkload(run, with_hits=False).pieces())).head is None


def test_hits_that_no_earlier_prompt_can_give_are_refused():
    run = asked()
    hits = run.hits.copy()
    hits[1] = 80
    with pytest.raises(ValueError, match="request 1: no earlier prompt has the 80 tokens"):
        shared_heads(replace(run, hits=hits))
    hits[1] = 17
    with pytest.raises(ValueError, match="request 1: hits must be whole blocks of 16 tokens, got 17"):
        shared_heads(replace(run, hits=hits))


def test_latencies_are_those_of_the_benchmark():
    found = latencies(np.array([0.0, 1.0]), np.array([1.0, 4.0]), np.array([3.0, 4.0]), np.array([5, 1]))
    assert (found.ttft.tolist(), found.tpot.tolist(), found.e2el.tolist()) == ([1, 3], [0.5], [3, 3])
    assert percentiles(found)["TTFT p90"] == pytest.approx(2.8)
