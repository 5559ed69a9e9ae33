"""Catalogue: the named workloads, their defaults and provenance."""

import math
import subprocess
import sys

import numpy as np
import pytest

from tests.traces.written import ROOT, whole
from traces import catalogue_names, describe, open_trace, prefix_hit_share


def test_the_catalogue_holds_the_azure_workloads():
    assert {"azure_code_2023", "azure_conv_2023"} <= set(catalogue_names())


@pytest.mark.parametrize("name", catalogue_names())
def test_an_entry_defaults_to_its_traces_size_and_rate_and_cites_it(name):
    workload = open_trace(name)
    assert len(whole(workload)) == workload.requests > 1000
    unit = "req" if whole(workload).program is None else name.split("_")[1]
    when = "at once" if math.isinf(workload.rate) else f"at {workload.rate:.2f} {unit}/s"
    assert f"{workload.requests:,} requests {when}: " in describe(name)
    assert workload.source.startswith((f"{name}, fitted to github.com/", f"{name}, fitted to arXiv:"))
    assert "20" in workload.source


def test_rate_and_size_can_be_chosen():
    workload = open_trace("azure_conv_2023", rate=2.0, requests=30_000)
    assert (workload.rate, workload.requests) == (2.0, 30_000)
    assert whole(workload).at_ps[-1] / 1e12 == pytest.approx(15_000, rel=0.05)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="must be one of agent_programs, azure_code_2023, azure_conv_2023"):
        describe("azure")


def test_the_published_means_are_kept():
    conv = whole(open_trace("azure_conv_2023", requests=100_000))
    assert (conv.prompt_tokens.mean(), conv.output_tokens.mean()) == pytest.approx((1155, 211), rel=0.02)


def test_importing_traces_and_naming_the_catalogue_loads_nothing_heavy():
    code = (
        "import sys, traces; traces.catalogue_names(); "
        "print([m for m in ('scipy', 'pandas', 'ruamel', 'zstandard', 'simpy', 'torch') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_llumnix_lengths_are_short_and_long_as_named():
    drawn = whole(open_trace("llumnix_short_long", requests=100_000))
    assert (drawn.prompt_tokens.mean(), drawn.output_tokens.mean()) == pytest.approx((127.4, 512.4), rel=0.03)
    assert drawn.prompt_tokens.max() == 6144


def test_rollout_groups_are_whole_and_capped():
    drawn = whole(open_trace("rollout_groups"))
    assert drawn.group is not None
    assert np.bincount(drawn.group).tolist() == [8] * 512
    assert drawn.output_tokens.max() == 16_384
    assert not drawn.at_ps.any()


def test_chat_sessions_share_about_what_their_trace_does():
    sessions = open_trace("chat_sessions")
    assert prefix_hit_share(sessions) == pytest.approx(0.358, abs=0.03)
    assert (whole(sessions).turn > 0).mean() == pytest.approx(0.315, abs=0.01)  # type: ignore[operator, union-attr]
