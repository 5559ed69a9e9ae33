"""Policies from anywhere: by name, by file, by entry point."""

from importlib.metadata import EntryPoint

import pytest

from policies.power_of_two import PowerOfTwo
from policies.vllm_v1 import VllmV1
from simcore.study import registry
from simcore.study.arguments import check_arguments
from simcore.study.registry import describe, find_policy, policy_names
from tests.study.tiny import write_study


def refused(name: str, role: str, *folders) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        find_policy(name, role, folders)
    return str(raised.value)


def test_a_policy_is_found_by_the_name_of_its_module():
    assert find_policy("power_of_two", "router") is PowerOfTwo
    assert find_policy("power_of_two:PowerOfTwo", "router") is PowerOfTwo


def test_names_are_listed_by_role_with_the_first_line_of_their_documentation():
    assert {"least_loaded", "power_of_two", "round_robin"} <= set(policy_names("router"))
    assert "vllm_v1" not in policy_names("router")
    assert describe("round_robin", "router") == "Round robin: the next request goes to the next instance."


def test_a_policy_is_found_in_a_file_beside_the_study(tmp_path):
    write_study(tmp_path)
    policy = find_policy("odd.py:Fails", "router", [tmp_path / "elsewhere", tmp_path])
    assert policy.__name__ == "Fails"
    assert find_policy(str(tmp_path / "odd.py") + ":Fails", "router") is policy, "one class, however it is named"


def test_the_class_may_be_left_out_where_a_file_has_one(tmp_path):
    (tmp_path / "mine.py").write_text("from simcore.contract import Router\nclass Mine(Router): ...\n")
    assert find_policy("mine.py", "router", [tmp_path]).__name__ == "Mine"


def test_a_file_with_several_asks_which(tmp_path):
    write_study(tmp_path)
    assert refused("odd.py", "router", tmp_path) == (
        "odd.py has several routers; write one of odd.py:Slow, odd.py:Fails, odd.py:Exits, odd.py:Dies, odd.py:Counts"
    )


def test_what_a_file_has_wrong_is_said_in_one_line(tmp_path):
    write_study(tmp_path)
    (tmp_path / "broken.py").write_text("import math\nmath.nothing\n")
    (tmp_path / "open.py").write_text("x = (\n")
    (tmp_path / "empty.py").write_text("")
    missing = tmp_path / "no.py"
    assert refused("no.py:Fails", "router", tmp_path) == f"no file 'no.py'; looked for {missing}"
    assert refused("odd.py:Fials", "router", tmp_path) == (
        "unknown class in odd.py 'Fials'; have Slow, Fails, Exits, Dies, Counts (did you mean 'Fails'?)"
    )
    assert refused("odd.py:Fails", "scheduler", tmp_path) == "odd.py:Fails is not a scheduler; Fails is a router"
    assert refused("broken.py", "router", tmp_path) == (
        "broken.py does not import: AttributeError: module 'math' has no attribute 'nothing' (line 2)"
    )
    assert refused("open.py", "router", tmp_path) == (
        "open.py does not import: SyntaxError: '(' was never closed (line 1)"
    )
    assert refused("empty.py", "router", tmp_path) == "empty.py has no router"


def test_an_installed_entry_point_is_known_by_its_name(monkeypatch):
    point = EntryPoint("mine", "policies.power_of_two:PowerOfTwo", registry.ENTRY_POINTS)
    broken = EntryPoint("broken", "policies.nowhere:Router", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "_points", lambda: (broken, point))
    assert find_policy("mine", "router") is PowerOfTwo
    assert "mine" in policy_names("router")
    assert "broken" not in policy_names("router")
    assert refused("mine", "scheduler") == (
        "policy 'mine' (policies.power_of_two:PowerOfTwo) is not a scheduler; PowerOfTwo is a router"
    )
    assert refused("broken", "router").startswith("policy 'broken' (policies.nowhere:Router) does not import: ")


def test_arguments_are_checked_against_the_signature():
    assert check_arguments(VllmV1, {"max_num_seqs": 4}) == []
    assert check_arguments(VllmV1, {"max_num_seqs": "4", "reserve_full_prompt": 1}) == [
        (("max_num_seqs",), "must be a whole number, got '4'"),
        (("reserve_full_prompt",), "must be true or false, got 1"),
    ]
    assert check_arguments(PowerOfTwo, {"choice": 3}) == [
        (("choice",), "unknown key; have policy, choices (did you mean 'choices'?)")
    ]


def test_a_constructor_that_breaks_is_a_problem_of_the_policy(tmp_path):
    (tmp_path / "needs.py").write_text(
        "from simcore.contract import Router\n"
        "class Needs(Router):\n"
        "    def __init__(self, *, size: int): self.size = 1 // size\n"
    )
    needs = find_policy("needs.py", "router", [tmp_path])
    assert check_arguments(needs, {}) == [(("size",), "is missing")]
    assert check_arguments(needs, {"size": 0}) == [
        ((), "Needs cannot be built: ZeroDivisionError: integer division or modulo by zero")
    ]
