"""Groups: samples of a prompt come together, alike in prompt, spread in length as asked."""

from typing import Any, cast

import numpy as np
import pytest

from simcore.contract.traffic import Arrivals
from tests.traces.written import whole
from traces import Classified, ParameterError, prefix_hit_share, request_classes
from traces.groups import Groups, groups
from traces.pieces import begins, columns_of, first, joined

LENGTHS: dict[str, object] = {"median": 3000, "prompt_effect": 0.7, "within": 0.36}
GIVEN: dict[str, object] = {"size": 4, "prompt_tokens": {"kind": "fixed", "tokens": 160}, "output_tokens": LENGTHS}
TRAFFIC: dict[str, Any] = {"arrivals": {"kind": "constant"}, "rate": 2.0, "requests": 12}


def rollouts(traffic: dict[str, Any] | None = None, **changes: object) -> Groups:
    return groups(GIVEN | changes, **(TRAFFIC | (traffic or {})))


def logs(samples: Arrivals, size: int) -> np.ndarray:
    return np.log(samples.output_tokens.reshape(-1, size))


def test_the_samples_of_a_group_arrive_together_with_one_prompt():
    samples = whole(rollouts(prompt_tokens={"kind": "uniform", "min": 50, "max": 500}))
    assert samples.group is not None
    assert samples.group.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert samples.at_ps.tolist() == [0] * 4 + [5 * 10**11] * 4 + [10**12] * 4
    assert [len(set(samples.prompt_tokens[rows : rows + 4].tolist())) for rows in (0, 4, 8)] == [1, 1, 1]
    assert samples.head is not None
    assert samples.head.keys.tolist() == samples.group.tolist()
    assert samples.head.ends.tolist() == samples.prompt_tokens.tolist()


def test_a_prefix_cache_finds_the_prompt_for_all_samples_but_the_first():
    assert prefix_hit_share(rollouts(), 16) == pytest.approx(3 / 4 * 144 / 160)  # the last token is always computed


def test_all_groups_can_come_at_once():
    at_once = rollouts({"arrivals": {"kind": "all_at_once"}, "rate": None})
    assert not whole(at_once).at_ps.any()
    assert at_once.lasts_s == 0


def test_lengths_vary_between_prompts_and_within_a_group_as_asked():
    drawn = logs(whole(rollouts({"requests": 80_000}, size=8)), 8)
    within, of_means = drawn.var(axis=1, ddof=1).mean(), drawn.mean(axis=1).var(ddof=1)
    assert within == pytest.approx(0.36**2, rel=0.03)
    assert of_means - within / 8 == pytest.approx(0.7**2, rel=0.04)
    assert np.exp(np.median(drawn)) == pytest.approx(3000, rel=0.03)


def test_the_longest_of_a_group_is_as_much_longer_as_a_normal_maximum_is():
    drawn = logs(whole(rollouts({"requests": 80_000}, size=8)), 8)
    assert (drawn.max(axis=1) - drawn.mean(axis=1)).mean() == pytest.approx(
        1.4236 * 0.36, rel=0.02
    )  # mean of 8 normals


def test_the_length_cap_is_a_spike():
    tokens = whole(rollouts({"requests": 80_000}, output_tokens=LENGTHS | {"max": 6592})).output_tokens
    assert tokens.max() == 6592  # exp(0.787) times the median: one standard deviation of both parts together
    assert (tokens == 6592).mean() == pytest.approx(0.1587, abs=0.01)


def test_more_samples_of_a_prompt_leave_the_first_ones_as_they_are():
    few, many = whole(rollouts({"requests": 40}, size=4)), whole(rollouts({"requests": 160}, size=16))
    assert np.array_equal(few.output_tokens.reshape(10, 4), many.output_tokens.reshape(10, 16)[:, :4])


def test_more_groups_and_another_rate_leave_the_first_as_they_are():
    short, long = whole(rollouts()), whole(rollouts({"requests": 40_000, "rate": 4.0}))
    assert np.array_equal(2 * long.at_ps[:12], short.at_ps)
    beginning = dict(columns_of(first(long, 12)))
    assert all(np.array_equal(column, beginning[name]) for name, column in columns_of(short) if name != "at_ps")
    assert not np.array_equal(long.output_tokens[:12], whole(rollouts({"seed": 1})).output_tokens)


def test_no_piece_cuts_a_group():
    pieces = list(rollouts({"requests": 30_000}, size=1000).pieces())
    assert len(pieces) > 1
    assert [len(piece) % 1000 for piece in pieces] == [0] * len(pieces)


def test_a_group_begins_once_and_is_of_one_class():
    work = rollouts({"requests": 4000})
    assert begins(whole(work)).reshape(-1, 4).tolist() == [[True, False, False, False]] * 1000
    halves = Classified(cast(Any, work), request_classes({"a": {"share": 1}, "b": {"share": 1}}), seed=0, replication=0)
    chosen = whole(halves).request_class
    assert chosen is not None
    assert {tuple(row) for row in chosen.reshape(-1, 4).tolist()} == {(0,) * 4, (1,) * 4}


def test_requests_without_groups_join_those_that_have_them():
    alone = Arrivals(np.array([5]), np.array([5]), np.array([5]))
    together = joined([next(iter(rollouts().pieces())), alone])
    assert together.group is not None
    assert together.group[-2:].tolist() == [2, -1]
    assert begins(together)[-2:].tolist() == [False, True]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": 0}, "groups.size: must be a whole number between 1 and 1024, got 0"),
        ({"size": 5}, "requests: must be whole groups, a multiple of groups.size (5), got 12"),
        ({"sizes": 4}, "groups.sizes: unknown key (did you mean 'size'?)"),
        ({"prompt_tokens": None}, "groups.prompt_tokens: must be a mapping with a kind, got nothing"),
        ({"output_tokens": 7}, "groups.output_tokens: must be a mapping with median, prompt_effect and within, got 7"),
        ({"output_tokens": LENGTHS | {"mu": 1}}, "groups.output_tokens.median: give either median or mu, got both"),
        (
            {"output_tokens": LENGTHS | {"within": -1}},
            "output_tokens.within: must be a number between 0 and 10, got -1",
        ),
        ({"output_tokens": LENGTHS | {"min": 9, "max": 5}}, "groups.output_tokens.max: must be >= min (9), got 5"),
        ({"output_tokens": LENGTHS | {"cap": 5}}, "groups.output_tokens.cap: unknown key"),
    ],
)
def test_a_mistake_in_the_groups_is_named(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ParameterError) as error:
        groups(GIVEN | changes, **TRAFFIC)
    assert any(problem in found for found in error.value.problems)


def test_what_is_missing_is_told_once_and_not_key_by_key():
    with pytest.raises(ParameterError) as error:
        groups(GIVEN | {"output_tokens": None}, **TRAFFIC)
    assert error.value.problems == [
        "groups.output_tokens: must be a mapping with median, prompt_effect and within, got nothing"
    ]
