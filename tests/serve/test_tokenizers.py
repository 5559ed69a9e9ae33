"""Tokenizers: what a stream says in pieces is what the whole says."""

import pytest

from simcore.serve.tokenizers import ByteTokenizer, tokenizer_in
from simcore.simulator.contents import Contents


def test_bytes_come_back_as_the_text_they_were_however_they_are_cut():
    text = "né 日本"
    tokenizer = ByteTokenizer()
    tokens = tokenizer.encode(text)
    detokenizer = tokenizer.detokenizer()
    pieces = [detokenizer.add([token], last=i == len(tokens) - 1) for i, token in enumerate(tokens)]
    assert "".join(pieces) == text
    assert pieces[1:3] == ["", "é"], "half a character is no text"


def test_an_answer_that_ends_in_half_a_character_says_so():
    assert ByteTokenizer().detokenizer().add([0xC3], last=True) == "\ufffd"
    assert ByteTokenizer().detokenizer().add([0xC3, 300]) == "\ufffd<300>"


def test_a_longer_chat_extends_the_shorter_one():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    tokenizer = ByteTokenizer()
    first, second = tokenizer.chat(turns[:1]), tokenizer.chat(turns)
    assert second[: len(first) + 1] == [*first, ord("b")]


def test_a_folder_without_a_tokenizer_means_bytes(tmp_path):
    assert isinstance(tokenizer_in(tmp_path), ByteTokenizer)
    assert isinstance(tokenizer_in(None), ByteTokenizer)


def test_a_broken_tokenizer_is_said(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="no tokenizer can be read"):
        tokenizer_in(tmp_path)


def test_a_model_s_tokenizer_says_in_pieces_what_it_says_at_once(tmp_path):
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = Tokenizer(models.BPE({each: i for i, each in enumerate(alphabet)}, []))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    saved = PreTrainedTokenizerFast(tokenizer_object=own)
    saved.chat_template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    saved.save_pretrained(tmp_path)
    tokenizer = tokenizer_in(tmp_path)
    text = "a né 日本"
    detokenizer = tokenizer.detokenizer()
    tokens = tokenizer.encode(text)
    assert len(tokens) == len(text.encode())
    assert "".join(detokenizer.add([token]) for token in tokens) == text
    assert tokenizer.chat([{"role": "user", "content": "x"}]) == tokenizer.encode("[user]x[assistant]")


def test_equal_beginnings_have_equal_contents_up_to_the_last_full_block():
    contents = Contents(block_tokens=2)
    one, two = contents.of(0, contents.hashes([1, 1, 2, 2, 3])), contents.of(1, contents.hashes([1, 1, 2, 2, 3]))
    assert one[0][0] == -1
    assert two[0] == (-1, 4)
    assert two[1][0] == -3


def test_a_forgotten_name_costs_the_hit_and_nothing_else():
    contents = Contents(block_tokens=1, kept=2)
    contents.of(0, contents.hashes([1, 2, 3]))
    (own, _), *_ = contents.of(1, contents.hashes([1, 2, 3]))
    assert own == -3, "the first block's name is gone, so nothing behind it counts"
