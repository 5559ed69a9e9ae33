"""Task: prompts of digits that are the same for everyone who asks, and a program that knows the right answers."""

import pytest

from realbackend.training.task import ASKS, END, Task, text, tokens_of


@pytest.mark.parametrize(
    ("kind", "prompt", "answer"),
    [("copy", "3191=", "3191."), ("reverse", "3190=", "0913."), ("sort", "3191=", "1139."), ("add", "97+5=", "102.")],
)
def test_a_prompt_has_one_right_answer(kind, prompt, answer):
    task = Task(kind)
    assert text(task.answer(tokens_of(prompt))) == answer
    assert task.reward(tokens_of(prompt), tokens_of(answer)) == 1


@pytest.mark.parametrize("answer", ["319", "3191", "3191..", "3191.0", "1391.", ""])
def test_any_other_answer_earns_nothing_nor_does_one_that_was_cut_off(answer):
    assert Task("copy").reward(tokens_of("3191="), tokens_of(answer)) == 0


@pytest.mark.parametrize("kind", ["copy", "add"])
def test_no_prompt_that_is_held_out_is_ever_trained_on(kind):
    task = Task(kind)
    trained_on = {tuple(task.prompt(number, 4)) for number in range(-500, 500)}
    held_out = {tuple(task.prompt(number, 4, held_out=True)) for number in range(200)}
    assert len(held_out) > 5
    assert not trained_on & held_out


def test_a_prompt_is_given_by_seed_number_and_length_and_ends_in_the_question():
    assert Task("copy", seed=3).prompt(7, 6) == Task("copy", seed=3).prompt(7, 6)
    assert len({text(Task("copy", seed).prompt(number, 8)) for seed in range(2) for number in range(10)}) == 20
    prompt = Task("add").prompt(0, 6)
    assert (len(prompt), prompt[-1], text(prompt).count("+")) == (6, ASKS, 1)
    assert END not in prompt


def test_what_cannot_be_asked_is_refused_by_name():
    with pytest.raises(ValueError, match="task must be one of copy, reverse, sort, add, got 'divide'"):
        Task("divide")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a prompt to add has at least 4 tokens, got 3"):
        Task("add").prompt(0, 3)
