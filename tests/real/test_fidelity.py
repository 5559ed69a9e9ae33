"""Fidelity: real runs beside simulated ones: what is equal is found so, what is off is found and split by its cause."""

import json
from dataclasses import replace

import pytest

from realbackend.cluster import RealCluster
from realbackend.greedy import most_likely
from realbackend.pace import ModelPace
from realbackend.run import RealOutcome
from realbackend.texts import RememberedTexts
from simcore.cost import Fitted
from simcore.cost.fitted import Terms
from simcore.fidelity.calibration import Mix, calibrate
from simcore.fidelity.decisions import agreement, first_difference
from simcore.fidelity.kept import Kept
from simcore.fidelity.model_clock import equality
from simcore.fidelity.repetition import Seeds, repeat
from simcore.fidelity.replay import replay
from simcore.simulator import simulate
from simcore.simulator.settings import Mechanisms
from tests.real.hash_engine import VOCABULARY, HashEngine
from tests.real.runs import MS, requests, settings

US = 10**6
MACHINE = Terms(
    tokens=((1, 3000 * US), (2, 5000 * US), (4, 4500 * US), (64, 9000 * US)), decode=300 * US, context=2 * US
)


class HashBench:
    """A bench of hash engines, whose iterations take what `cost` says: a machine of known speed, and without noise."""

    def __init__(self, cost=None, engine=HashEngine):
        self.cost, self.engine, self.clocks = cost or Fitted(MACHINE), engine, []

    def run(self, given, workload, sink, *, clock, keep_prompts=False):
        self.clocks.append(clock)
        texts = RememberedTexts(VOCABULARY)
        hosted = given.mechanisms.host_blocks
        cluster = RealCluster(
            given,
            workload,
            sink,
            make_engine=lambda _: self.engine(given.kv_blocks, given.block_tokens, hosted),
            pace=ModelPace(given.cost if clock == "model" else self.cost),
            texts=texts,
        )
        return RealOutcome(cluster.run(), cluster.generated, texts.prompts)

    def most_likely(self, prompts, generated):
        engine = HashEngine(100, 16, 0)
        return {r: most_likely(engine, 16, prompts[r], tokens) for r, tokens in generated.items()}


def traffic(seed):
    return settings(), requests(
        *[(9 * i + seed % 7, 15 + (i * (seed + 3)) % 40, 2 + (i + seed) % 17) for i in range(60)]
    )


TIGHT = settings(kv_blocks=14, block_tokens=4, mechanisms=Mechanisms(preemption="swap", host_blocks=40))
BURST = [(i, 6 + i % 5, 4 + i % 9) for i in range(30)]


# -- the model clock ---------------------------------------------------------------------------------------------------


def test_a_sound_engine_decides_as_simulated_and_generates_as_undisturbed():
    found = equality(HashBench(), TIGHT, requests(*BURST))
    assert found.difference is None
    assert found.decisions == 180
    assert (found.requests, found.tokens) == (30, sum(row[2] for row in BURST))
    assert (found.others, found.first_other) == (0, None)


def test_an_engine_that_loses_swapped_kv_is_told_by_request_and_place():
    class Forgets(HashEngine):
        def copy_in(self, host, blocks):
            pass

    found = equality(HashBench(engine=Forgets), TIGHT, requests(*BURST))
    assert found.difference is None, "what is decided does not depend on it"
    assert found.others > 0
    assert found.first_other is not None
    request, place = found.first_other
    assert 0 < place < BURST[request][2], "its first token came before it was swapped out"


def test_the_most_likely_tokens_are_those_of_a_run_alone():
    from tests.real.hash_engine import undisturbed

    prompt = [3, 1, 4, 1, 5]
    alone = undisturbed(prompt, 9)
    assert most_likely(HashEngine(4, 4, 0), 4, prompt, alone) == alone
    assert most_likely(HashEngine(4, 4, 0), 4, prompt, alone[:1]) == alone[:1]
    changed = [*alone[:3], alone[3] + 1, *alone[4:]]
    assert most_likely(HashEngine(4, 4, 0), 4, prompt, changed)[:4] == alone[:4], "what stands before it still holds"


# -- measured time -----------------------------------------------------------------------------------------------------


def test_a_machine_without_noise_is_predicted_to_the_last_decision():
    bench = HashBench()
    found = repeat(bench, "measured", traffic, Seeds(5, 0, 6))
    assert bench.clocks == ["measured"] * 3
    assert found.iterations.worst < 1e-6
    assert all(abs(error) < 1e-6 for error in found.latency.values())
    assert {"mean_ttft_ms", "median_tpot_ms", "p90_e2el_ms", "p99_ttft_ms"} <= set(found.latency)
    assert found.difference is None
    assert set(found.agrees.values()) == {1.0}


def test_a_cost_model_that_cannot_be_right_is_blamed_and_the_dynamics_are_not():
    class Tired(Fitted):
        """A third of the iterations take twice as long, and nothing in their shape says which."""

        calls = 0

        def line(self, shape):
            type(self).calls += 1
            first, *rest = super().line(shape)
            return first * (2 if type(self).calls % 3 == 0 else 1), *rest

    found = repeat(HashBench(Tired(MACHINE)), "measured", traffic, Seeds(5, 0, 6))
    assert found.iterations.median > 0.1
    assert found.difference is None
    assert set(found.dynamics.values()) == {0.0}


def test_runs_too_short_to_fit_are_refused():
    def short(seed):
        return settings(), requests((0, 10, 3), (1, 10, 3))

    with pytest.raises(ValueError, match="must have at least 50 iterations to fit, got 12"):
        repeat(HashBench(), "measured", short, Seeds(5, 0, 6))


def test_a_replay_goes_on_by_the_cost_model_where_a_lane_has_used_up_its_durations():
    given, workload = traffic(0)
    plain, replayed = Kept(), Kept()
    simulate(given, workload, plain)
    replay(given, workload, replayed, {(0, 0): [10 * MS] * 5})
    assert replayed.decision_rows == plain.decision_rows
    replay(given, workload, slower := Kept(), {(0, 0): [20 * MS]})
    parted = first_difference(plain.decision_rows, slower.decision_rows)
    assert parted is not None
    assert 0 < parted.index < 10


def test_logs_of_real_time_are_compared_without_their_dates():
    ours, theirs = [(1, 0, 1, 7, -1), (2, 0, 3, 7, 5)], [(8, 0, 1, 7, -1), (9, 0, 3, 7, 4)]
    parted = first_difference(ours, theirs, dated=False)
    assert parted is not None
    assert parted.index == 1, "what was decided second differs; when the first was decided does not count"
    assert first_difference(ours[:1], theirs[:1], dated=False) is None
    assert first_difference(ours[:1], theirs[:1]) is not None


def test_decisions_agree_by_kind_whenever_they_are_taken():
    given, workload = traffic(0)
    one, other = Kept(), Kept()
    simulate(given, workload, one)
    simulate(replace(given, cost=Fitted(MACHINE)), workload, other)
    found = agreement(one.decision_rows, other.decision_rows)
    assert found["arrived"] == found["dispatch"] == found["first_token"] == 1.0


# -- profiles ----------------------------------------------------------------------------------------------------------


def test_a_calibration_meets_small_batches_large_ones_and_chunks_at_several_contexts():
    log = calibrate(HashBench(), Mix(requests=64, longest_tokens=600, max_num_batched_tokens=64), say=lambda _: None)
    chunks, _, decodes, _ = log.counts.T
    assert {1, 2, 3, 4} <= set(decodes[chunks == 0])
    assert decodes.max() >= 12
    assert log.tokens.max() == 64
    assert sum(chunks > 0) > 60
    contexts = log.counts[chunks == 1, 1] / log.tokens[chunks == 1]
    assert contexts.max() > 5 * contexts.min()


# -- with torch --------------------------------------------------------------------------------------------------------

NANO = """\
study: nano
model: llama-3.1-8b
hardware: h100
cluster: {instances: 2, kv_blocks: 100}
workload: {arrivals: {kind: poisson}, rate: 60, requests: 12, prompt_tokens: {kind: uniform, min: 4, max: 40},
           output_tokens: {kind: uniform, min: 2, max: 12}}
systems:
  one: {}
  other: {router: least_loaded}
real: {weights: random:nano}
"""


def compare(folder, **how):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
    from simcore.fidelity.study import compare_study
    from simcore.study.api import Study
    from simcore.study.load import parse

    asked = {"device": "cpu", "clock": None, "repeats": 1, "each": False, "plots": True, "command": ()} | how
    said: list[str] = []
    return compare_study(Study(parse(NANO, "nano.yaml", folder)), out=folder / "out", say=said.append, **asked), said


def test_a_study_on_a_small_model_is_compared_and_left_in_a_folder(tmp_path):
    found, said = compare(tmp_path)
    assert found.equal
    text = "\n".join(found.lines)
    assert "decisions, all as simulated" in text
    assert "tokens of 12 requests, all as in an undisturbed run" in text
    assert "given the measured durations, a simulator decides the same, to the last decision" in text
    assert said == ["one, seed 0: model clock", "one, seed 0: measured clock, 1 of 1"]
    content = json.loads((tmp_path / "out" / "fidelity.json").read_text())
    (run,) = content["runs"]
    assert (run["system"], run["requests"], run["model"]["difference"]) == ("one", 12, None)
    (timed,) = run["timed"]
    assert set(timed["median_dynamics_error"].values()) == {0.0}
    assert timed["repetitions"][0]["seeds"] == {"before": 1000000, "tested": 0, "after": 1000001}
    plots = sorted(path.name for path in (tmp_path / "out" / "plots").iterdir())
    assert plots == ["measured_iterations.png", "measured_latency.png", "measured_requests.png"]


def test_each_system_is_compared_where_that_is_asked(tmp_path):
    found, _ = compare(tmp_path, each=True, clock="model")
    content = json.loads((tmp_path / "out" / "fidelity.json").read_text())
    assert [run["system"] for run in content["runs"]] == ["one", "other"]
    assert found.equal


def test_wall_time_on_a_cpu_is_said_to_be_no_measure(tmp_path):
    found, _ = compare(tmp_path, clock="wall", plots=False)
    assert found.lines[-3] == "wall time on a CPU that others use is theirs as well: not comparable"
