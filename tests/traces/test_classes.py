"""Classes: shares are kept, draws depend on the request alone, and bad input is named."""

from collections.abc import Mapping

import numpy as np
import pytest

import traces


def classified(shares: Mapping[str, float], **more: int) -> np.ndarray:
    given = {name: {"share": share} for name, share in shares.items()}
    workload = traces.open_trace("azure_conv_2023", requests=more.pop("requests", 20_000))
    seeds = {"seed": more.get("seed", 0), "replication": more.get("replication", 0)}
    pieces = traces.Classified(workload, traces.request_classes(given), **seeds).pieces()
    return np.concatenate([piece.request_class for piece in pieces])


def test_classes_take_their_shares():
    drawn = classified({"interactive": 1, "batch": 3})
    assert abs((drawn == 0).mean() - 0.25) < 0.01
    assert set(drawn.tolist()) == {0, 1}


def test_the_class_of_a_request_depends_on_seed_and_number_alone():
    shares = {"a": 1, "b": 1}
    whole = classified(shares)
    assert (classified(shares, requests=500) == whole[:500]).all()
    assert (classified(shares, seed=1) != whole).any()
    assert (classified({"a": 2, "b": 2}) == whole).all()


def test_a_lone_class_takes_everything():
    assert not classified({"only": 0.5}, requests=100).any()


def test_everything_wrong_with_classes_is_said_at_once():
    with pytest.raises(traces.ParameterError) as error:
        traces.request_classes({"a": {"share": 0}, "b": {"share": 1, "priority": -1, "prio": 3}})
    assert error.value.problems == [
        "classes.a.share: must be a number > 0, got 0",
        "classes.b.priority: must be a whole number >= 0, got -1",
        "classes.b.prio: unknown key (did you mean 'priority'?)",
    ]
