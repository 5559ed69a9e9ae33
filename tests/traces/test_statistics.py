"""Statistics: against plain numpy, against what is published of the public traces, and in bounded memory."""

import subprocess
import sys

import numpy as np
import pytest

from simcore.contract.traffic import Arrivals
from tests.traces.written import ROOT, azure, mooncake, request, shared, whole
from traces import open_trace, prefix_hit_share
from traces.picture import draw
from traces.statistics import measure
from traces.tallies import LogTally, Tally, Timeline, quantiles
from traces.uses import Uses


@pytest.mark.parametrize("name", ["azure_code_2023", "azure_conv_2023", "mooncake_conversation"])
def test_arrivals_and_lengths_are_those_of_numpy_over_all_pieces(name):
    workload = open_trace(name, requests=20_000)
    everything, found = whole(workload), measure(workload)
    gaps, by_10_s = np.diff(everything.at_ps), np.bincount(everything.at_ps // 10**13)
    assert found.requests == found.arrivals.n == 20_000
    assert found.arrivals.gap_cv == pytest.approx(gaps.std() / gaps.mean(), rel=1e-12)
    assert found.arrivals.dispersion_10s == pytest.approx(by_10_s.var() / by_10_s.mean(), rel=1e-12)
    assert found.arrivals.span_s == pytest.approx(everything.at_ps[-1] / 1e12, rel=1e-15)
    assert found.arrivals.peak_60s == np.bincount(everything.at_ps // (60 * 10**12)).max() / 60
    for spread, tokens in (
        (found.prompt_tokens, everything.prompt_tokens),
        (found.output_tokens, everything.output_tokens),
    ):
        assert (spread.sum, spread.max) == (tokens.sum(), tokens.max())
        assert [spread.p50, spread.p90, spread.p99] == pytest.approx(np.quantile(tokens, [0.5, 0.9, 0.99]).tolist())


@pytest.mark.parametrize(
    ("file", "rate", "peak_60s", "busiest", "cv", "dispersion", "prompt", "output"),
    [
        ("azure/AzureLLMInferenceTrace_code.csv", 2.57, 10.5, 67, 13.15, 71.3, (1469, 5188, 7436), (13, 55, 251)),
        ("azure/AzureLLMInferenceTrace_conv.csv", 5.53, 8.45, 16, 1.09, 4.0, (1020, 2734.5, 4142), (129, 424, 601)),
        ("mooncake/synthetic_trace.jsonl.gz", 3.91, 4.55, 13, 1.01, 1.4, (11587, 38611, 66456), (69, 389, 768)),
    ],
)
def test_what_is_published_of_the_public_traces_is_found(file, rate, peak_60s, busiest, cv, dispersion, prompt, output):
    found = measure(open_trace(shared(file)), sharing=False)
    arrivals = found.arrivals
    assert arrivals.rate == pytest.approx(rate, abs=0.005)
    assert arrivals.peak_60s == pytest.approx(peak_60s, abs=0.05)
    assert arrivals.peak_1s == busiest
    assert arrivals.gap_cv == pytest.approx(cv, abs=0.01)
    assert arrivals.dispersion_10s == pytest.approx(dispersion, abs=0.05)
    for spread, expected in ((found.prompt_tokens, prompt), (found.output_tokens, output)):
        assert (spread.p50, spread.p90, spread.p99) == pytest.approx(expected, abs=0.6)


def test_shared_prefixes_are_counted_on_the_way(tmp_path):
    trace = open_trace(mooncake(tmp_path, *(request(1000 * row, 1024, 1, [1, row + 2]) for row in range(4))))
    found = measure(trace)
    assert found.sharing is not None
    assert found.sharing.found == prefix_hit_share(trace, 16) == 3 * 512 / 4096
    times, share = found.sharing.uses.table()
    assert (times.tolist(), share.tolist(), found.sharing.uses.blocks) == ([1, 4], [0.5, 0.5], 5)


def test_sharing_is_left_out_where_it_is_not_asked_for_and_where_nothing_is_said_of_it(tmp_path):
    assert measure(open_trace(mooncake(tmp_path, request(0), request(5))), sharing=False).sharing is None
    assert measure(open_trace("azure_conv_2023", requests=10)).sharing is None


def test_partial_blocks_weigh_what_they_hold():
    uses = Uses()
    one = np.array([700])
    uses.add(Arrivals(np.zeros(1, np.int64), one, one))
    times, share = uses.table()
    assert (times.tolist(), share.tolist(), uses.blocks) == ([1], [1.0], 2)


def test_later_turns_of_programs_are_no_arrivals():
    workload = open_trace("agent_programs", requests=2000)
    everything, found = whole(workload), measure(workload)
    assert everything.turn is not None
    assert everything.gap_ps is not None
    assert everything.program is not None
    assert everything.tool is not None
    starts = everything.at_ps[everything.turn == 0]
    assert found.arrivals.n == len(starts) < found.requests == 2000
    programs = found.programs
    assert programs is not None
    turns = np.bincount(everything.program)
    assert (programs.turns.n, programs.turns.max, programs.turns.p50) == (len(starts), turns.max(), np.median(turns))
    waits_s = everything.gap_ps[everything.turn > 0] / 1e12
    assert programs.gaps.n == len(waits_s)
    assert programs.gaps.mean == pytest.approx(waits_s.mean(), rel=1e-12)
    assert programs.gaps.quantile(0.9) == pytest.approx(np.quantile(waits_s, 0.9), rel=0.02)
    assert sum(programs.tools.values()) == (everything.tool >= 0).sum()


def test_a_group_comes_as_one():
    found = measure(open_trace("rollout_groups", requests=24))
    assert (found.requests, found.arrivals.of, found.arrivals.n) == (24, "groups", 3)
    assert found.groups is not None
    assert (found.groups.n, found.groups.mean, found.groups.max) == (3, 8.0, 8)


def test_one_request_has_no_rate_and_no_gaps(tmp_path):
    found = measure(open_trace(azure(tmp_path, "7,100,10")))
    assert (found.arrivals.rate, found.arrivals.gap_cv, found.arrivals.span_s) == (None, None, 0.0)
    assert found.as_dict()["prompt_tokens"] == {"sum": 100, "mean": 100, "p50": 100, "p90": 100, "p99": 100, "max": 100}


def test_tallies_of_few_and_of_enormous_numbers_are_exact():
    numbers = np.array([3, 3, 2_000_000, 10**9, 7])
    tally = Tally()
    tally.add(numbers[:2])
    tally.add(numbers[2:])
    values, counts = tally.table()
    assert (values.tolist(), counts.tolist()) == ([3, 7, 2_000_000, 10**9], [2, 1, 1, 1])
    shares = [0, 0.3, 0.5, 0.9, 1]
    assert quantiles(values, counts, shares) == pytest.approx(np.quantile(numbers, shares).tolist(), rel=1e-15)


def test_quantiles_of_times_are_off_by_less_than_a_hundredth():
    times_s = np.random.default_rng(1).lognormal(0, 3, 50_000)
    tally = LogTally()
    for part in np.array_split(times_s, 7):
        tally.add(part)
    for share in (0.01, 0.5, 0.99):
        assert tally.quantile(share) == pytest.approx(np.quantile(times_s, share), rel=0.01)
    assert tally.cv == pytest.approx(times_s.std() / times_s.mean(), rel=1e-9)
    assert tally.most == times_s.max()


def test_times_of_zero_are_counted_apart():
    tally = LogTally()
    tally.add(np.array([0.0, 0.0, 0.0, 2.0]))
    assert (tally.zeros, tally.quantile(0.5), tally.mean) == (3, 0.0, 0.5)
    assert tally.quantile(1.0) == pytest.approx(2.0, rel=0.01)
    seconds, longer = tally.exceeding()
    assert (len(seconds), longer.tolist()) == (1, [0.25])


def test_a_timeline_grows_with_time_and_keeps_its_windows_whole():
    timeline = Timeline()
    timeline.add(np.array([0, 0, 9]))
    timeline.add(np.array([9, 10, 5000]))
    windows = timeline.windows(10)
    assert (windows[0], windows[1], windows[-1], windows.sum(), len(windows)) == (4, 1, 1, 6, 501)


@pytest.mark.parametrize("name", ["mooncake_conversation", "chat_sessions", "agent_programs"])
def test_a_picture_is_drawn_of_every_kind_of_traffic(tmp_path, name):
    draw(measure(open_trace(name, requests=300)), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_traffic_gives_the_same_picture(tmp_path):
    for name in ("one.png", "two.png"):
        draw(measure(open_trace("azure_conv_2023", requests=30)), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_picture_is_drawn_of_a_single_request_and_of_all_at_once(tmp_path):
    draw(measure(open_trace(azure(tmp_path, "0,100,10"))), tmp_path / "single.png")
    draw(measure(open_trace(azure(tmp_path, *["0,100,10"] * 3))), tmp_path / "batch.png")
    assert (tmp_path / "single.png").stat().st_size > 10_000 < (tmp_path / "batch.png").stat().st_size


def test_memory_does_not_grow_with_the_trace(tmp_path):
    program = (
        "import resource, sys\n"
        "from traces import open_trace\n"
        "from traces.statistics import measure\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "measure(open_trace('azure_conv_2023', requests=20_000))\n"
        "before = used()\n"
        "assert measure(open_trace('azure_conv_2023', requests=600_000)).requests == 600_000\n"
        "print(used() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12_000, "kilobytes; 600,000 requests in columns are 14 MB, in rows far more"
