"""Classes: shares are kept, draws depend on the request alone, and bad input is named."""

from collections.abc import Mapping

import numpy as np
import pytest

import traces
from simcore.contract.traffic import Arrivals, Patience
from tests.traces.written import mooncake, request, whole


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
        traces.request_classes({"a": {"share": 0}, "b": {"share": 1, "priority": -0.5, "prio": 3}})
    assert error.value.problems == [
        "classes.a.share: must be a number > 0, got 0",
        "classes.b.priority: must be a whole number between -1000 and 1000, got -0.5",
        "classes.b.prio: unknown key (did you mean 'priority'?)",
    ]


SESSIONS = {
    "turns": {"kind": "fixed", "tokens": 3},
    "think_s": {"kind": "exponential", "mean": 9},
    "first_prompt_tokens": {"kind": "fixed", "tokens": 100},
    "turn_tokens": {"kind": "fixed", "tokens": 10},
    "output_tokens": {"kind": "fixed", "tokens": 5},
    "system_prompt_tokens": 32,
}


def impatient(given: Mapping[str, object], requests: int = 6, **timeouts: float) -> traces.Classified:
    workload = traces.programs(sessions=SESSIONS, arrivals={"kind": "poisson"}, rate=1.0, requests=requests)
    return traces.Classified(workload, traces.request_classes(given, **timeouts), 0, 0)


def test_all_turns_of_a_program_are_of_one_class():
    drawn = whole(impatient({"a": {"share": 1}, "b": {"share": 1}}, requests=9000)).request_class
    assert drawn is not None
    by_program = drawn.reshape(-1, 3)
    assert (by_program == by_program[:, :1]).all()
    assert by_program.mean() == pytest.approx(0.5, abs=0.03)
    assert by_program[:, 0].tolist() == classified({"a": 1, "b": 1}, requests=3000).tolist()


def test_classes_leave_every_other_column_alone(tmp_path):
    plain = traces.programs(sessions=SESSIONS, arrivals={"kind": "poisson"}, rate=1.0, requests=6)
    assert_same_but_class(whole(plain), whole(impatient({"a": {"share": 1}})))
    trace = traces.open_trace(mooncake(tmp_path, request(0, 600), request(5, 700)))
    classes = traces.request_classes({"a": {"share": 1}})
    assert_same_but_class(whole(trace), whole(traces.Classified(trace, classes, 0, 0)))


def assert_same_but_class(plain: Arrivals, classified: Arrivals) -> None:
    assert classified.request_class is not None
    for name in ("at_ps", "prompt_tokens", "output_tokens", "program", "turn", "gap_ps", "tool", "stream", "cancel_ps"):
        mine, theirs = getattr(plain, name), getattr(classified, name)
        assert (mine is None) == (theirs is None), name
        assert mine is None or mine.tolist() == theirs.tolist(), name
    assert plain.head is not None
    assert classified.head is not None
    assert plain.head.keys.tolist() == classified.head.keys.tolist()
    assert plain.head.ends.tolist() == classified.head.ends.tolist()


def test_a_class_has_its_own_patience_or_everybodys():
    given = {"a": {"share": 1, "ttft_timeout_s": 2}, "b": {"share": 1, "timeout_s": 0.5}}
    assert impatient(given).patience == (Patience(2 * 10**12, None), Patience(None, 5 * 10**11))
    assert impatient(given, ttft_timeout_s=9, timeout_s=60).patience == (
        Patience(2 * 10**12, 60 * 10**12),
        Patience(9 * 10**12, 5 * 10**11),
    )


def test_nobody_gives_up_unless_asked_to():
    workload = impatient({"a": {"share": 1}, "b": {"share": 1}})
    assert workload.patience == ()
    assert whole(workload).cancel_ps is None


def test_a_share_of_a_class_is_given_up_after_an_exponential_time():
    given = {"a": {"share": 1, "cancel_share": 0.25, "cancel_after_s": 8}, "b": {"share": 1}}
    drawn = whole(impatient(given, requests=60_000))
    assert drawn.cancel_ps is not None
    assert drawn.request_class is not None
    of_a = drawn.cancel_ps[drawn.request_class == 0]
    assert (of_a >= 0).mean() == pytest.approx(0.25, abs=0.01)
    assert of_a[of_a >= 0].mean() / 1e12 == pytest.approx(8, rel=0.03)
    assert of_a[of_a >= 0].std() / 1e12 == pytest.approx(8, rel=0.05)
    assert set(drawn.cancel_ps[drawn.request_class == 1].tolist()) == {-1}


def test_who_is_given_up_does_not_depend_on_how_many_there_are():
    given = {"a": {"share": 1, "cancel_share": 0.5, "cancel_after_s": 8}}
    long, short = (whole(impatient(given, requests=requests)).cancel_ps for requests in (9000, 100))
    assert long is not None
    assert short is not None
    assert long[:100].tolist() == short.tolist()


def test_a_twofold_cancellation_is_the_earlier_one():
    class Cancelling(traces.Synthetic):
        def pieces(self):
            for piece in super().pieces():
                yield Arrivals(
                    piece.at_ps, piece.prompt_tokens, piece.output_tokens, cancel_ps=np.array([-1, 5, 10**19 // 2])
                )

    one = {"kind": "fixed", "tokens": 1}
    plain = traces.synthetic(arrivals={"kind": "poisson"}, prompt_tokens=one, output_tokens=one, rate=1.0, requests=3)
    inner = Cancelling(plain.name, plain.source, plain.timing, plain.prompt_tokens, plain.output_tokens)
    never = traces.request_classes({"a": {"share": 1}})
    always = traces.request_classes({"a": {"share": 1, "cancel_share": 1, "cancel_after_s": 8}})
    assert whole(traces.Classified(inner, never, 0, 0)).cancel_ps.tolist() == [-1, 5, 10**19 // 2]  # type: ignore[union-attr]
    first, second, third = whole(traces.Classified(inner, always, 0, 0)).cancel_ps.tolist()  # type: ignore[union-attr]
    assert 0 <= first < 10**15
    assert second == 5
    assert 0 <= third < 10**15


def test_mistakes_in_patience_are_named():
    with pytest.raises(traces.ParameterError) as error:
        traces.request_classes(
            {
                "a": {"share": 1, "ttft_timeout_s": 0, "cancel_share": 2, "cancel_after_s": 1},
                "b": {"share": 1, "cancel_share": 1},
            },
            timeout_s=-1,
        )
    assert error.value.problems == [
        "timeout_s: must be a number > 0 and at most 4e+06, got -1",
        "classes.a.ttft_timeout_s: must be a number > 0 and at most 4e+06, got 0",
        "classes.a.cancel_share: must be a number between 0 and 1, got 2",
        "classes.b.cancel_after_s: must be given with cancel_share, got nothing",
    ]


def test_a_priority_may_be_below_that_of_all_who_say_nothing():
    (urgent, normal) = traces.request_classes({"urgent": {"share": 1, "priority": -1}, "normal": {"share": 9}})
    assert urgent.priority < normal.priority == 0
