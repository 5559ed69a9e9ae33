"""The speed table of DESIGN 9, rows 1, 2, 4 and 5: `make bench` prints each row.

Bounds are stated beside each and not asserted: machines are noisy, and a timed assertion is no test.
"""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from policies.april import April
from policies.synchronous_rollout import SynchronousRollout
from simcore.results import CellWriter, finish_cell
from simcore.simulator import simulate
from tests.bench.machines import Counting, azure_conv, reference_seconds, report, rollouts, settings, training

ROOT = Path(__file__).parents[2]


def best(benchmark) -> float:
    return float(benchmark.stats.stats.min)


def test_azure_conv_on_one_instance_whole_product_path(benchmark, tmp_path):
    """Bound: 20 us a request with columns recorded, and at least 8 times the reference."""
    traffic = azure_conv()
    folders = iter(range(1000))

    def product_path():
        folder = tmp_path / str(next(folders))
        with CellWriter(folder, classes=traffic.classes, iterations=False, decisions=False) as sink:
            return simulate(settings(sample_s=10.0), traffic, sink)

    outcome = benchmark.pedantic(product_path, rounds=5, warmup_rounds=1)
    reference_s, _ = reference_seconds(traffic)
    print("\n" + report("azure conv, 1 instance, rows written", outcome, best(benchmark), reference_s))
    began = os.times()
    finish_cell(tmp_path / "0", outcome=outcome, slo={"ttft_ms": 500.0}, meta={})
    ended = os.times()
    print(f"  its metrics, exact, take another {(ended.user - began.user) / outcome.arrived * 1e6:.1f} us/request")


def test_azure_conv_on_one_instance_in_the_loop(benchmark):
    traffic = azure_conv()
    outcome = benchmark.pedantic(lambda: simulate(settings(), traffic, Counting()), rounds=5, warmup_rounds=1)
    print("\n" + report("azure conv, 1 instance, in the loop", outcome, best(benchmark), None))


def test_sixty_four_instances_under_least_loaded(benchmark):
    """Bound: 25 us a request."""
    traffic = azure_conv(64)
    run = settings(64, "least_loaded")
    outcome = benchmark.pedantic(lambda: simulate(run, traffic, Counting()), rounds=5, warmup_rounds=1)
    reference_s, _ = reference_seconds(traffic, 64, "least_loaded")
    print("\n" + report("azure conv, 64 instances, least loaded", outcome, best(benchmark), reference_s))


def test_rollouts_as_one_batch(benchmark):
    """Bound: at least 40 times the reference."""
    traffic = rollouts()
    outcome = benchmark.pedantic(lambda: simulate(settings(), traffic, Counting()), rounds=5, warmup_rounds=1)
    reference_s, _ = reference_seconds(traffic)
    print("\n" + report("rollouts of ~2,000 tokens at time zero", outcome, best(benchmark), reference_s))


def test_the_same_batch_as_one_step_of_synchronous_rollouts(benchmark):
    """Bound: at least 40 times the reference, which knows no groups."""
    traffic = replace(rollouts(), group_size=8)
    run = settings(rollout=training(SynchronousRollout, groups=250, steps=1))
    outcome = benchmark.pedantic(lambda: simulate(run, traffic, Counting()), rounds=5, warmup_rounds=1)
    reference_s, _ = reference_seconds(traffic)
    print("\n" + report("synchronous rollouts, one step", outcome, best(benchmark), reference_s))


def test_steps_of_partial_rollouts(benchmark):
    traffic = replace(rollouts(), group_size=8)
    run = settings(rollout=training(April, groups=25, steps=8))
    outcome = benchmark.pedantic(lambda: simulate(run, traffic, Counting()), rounds=5, warmup_rounds=1)
    print("\n" + report("partial rollouts, eight steps", outcome, best(benchmark), None))


@pytest.mark.long
def test_ten_million_requests_are_streamed_in_bounded_memory(benchmark, tmp_path):
    """Bound: under 400 MB resident, the whole command without plots."""
    study = tmp_path / "streamed.yaml"
    study.write_text(
        "study: streamed\nmodel: llama-3.1-8b\nhardware: h200\ncluster: {instances: 16}\n"
        "workload: {trace: azure_conv_2023, rate: 300, requests: 10000000}\nslo: {ttft_ms: 500}\n"
        "systems: {least_loaded: {router: least_loaded}}\nseeds: 1\n"
    )
    command = [sys.executable, "-m", "simcore", "run", str(study), "--jobs", "1", "--no-plots", "--quiet"]
    environment = os.environ | {"SIMCORE_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}

    def command_line():
        subprocess.run([*command, "--out", str(tmp_path / "out")], check=True, env=environment)

    benchmark.pedantic(command_line, rounds=1)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n10 M requests, 16 instances: {used.ru_maxrss / 1024:.0f} MB resident, {used.ru_utime:.0f} s of CPU")
