"""Models: sizes computed from a `config.json`, and what a wrong one is told."""

import json
from pathlib import Path

import pytest

from simcore.cost import load_model, model_names
from simcore.cost.model_spec import Dtype
from tests.cost.machines import model

# Published on each model's card or paper; LLaMA "30B" is 32.5B.
PUBLISHED = {
    "llama-2-7b": 6.74,
    "llama-2-13b": 13.02,
    "llama-2-70b": 68.98,
    "llama-30b": 32.5,
    "llama-3.1-8b": 8.03,
    "llama-3.1-70b": 70.6,
    "qwen2.5-7b": 7.62,
    "qwen2.5-32b": 32.8,
    "qwen3-8b": 8.19,
    "qwen3-32b": 32.8,
    "qwen3-30b-a3b": 30.5,
    "mixtral-8x7b": 46.7,
}


def write(folder: Path, **changes: object) -> str:
    config = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 10,
    }
    kept = {key: value for key, value in (config | changes).items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(kept))
    return str(folder / "config.json")


def test_every_shipped_model_has_its_published_number_of_parameters():
    assert set(PUBLISHED) == set(model_names())
    for name, billions in PUBLISHED.items():
        assert load_model(name).parameters == pytest.approx(billions * 1e9, rel=0.005), name


def test_a_mixture_of_experts_activates_only_the_experts_a_token_picks():
    assert load_model("qwen3-30b-a3b").active_parameters == pytest.approx(3.3e9, rel=0.02)
    assert load_model("mixtral-8x7b").active_parameters == pytest.approx(12.9e9, rel=0.005)
    assert load_model("llama-2-7b").active_parameters == load_model("llama-2-7b").parameters


def test_parameters_of_a_tiny_model_count_by_hand():
    # q 100x40, k and v 100x20 each, o 40x100; three 100x200; three norms of 100; two tables of 10x100.
    assert model().parameters == (4000 + 4000 + 4000) + 60_000 + 300 + 2000
    assert model(tied_embeddings=True).parameters == model().parameters - 1000


def test_kv_takes_two_bytes_a_number_and_one_in_fp8():
    assert load_model("llama-3.1-8b").kv_bytes_per_token() == 131_072
    assert load_model("llama-2-7b").kv_bytes_per_token() == 524_288
    assert load_model("llama-3.1-8b", kv_dtype="fp8").kv_bytes_per_token() == 65_536
    assert load_model("qwen3-32b").kv_bytes_per_token() == 64 * 2 * 8 * 128 * 2


def test_fp8_halves_the_matrices_of_the_layers_and_nothing_else():
    bf16, fp8 = model(), model(weights_dtype="fp8")
    assert bf16.weight_bytes() - fp8.weight_bytes() == 12_000 + 60_000
    assert bf16.weight_bytes() == 2 * bf16.parameters


def test_gpus_share_the_weights_but_each_keeps_the_norms():
    assert model().weight_bytes(2) == 2 * (12_000 // 2 + 60_000 // 2 + 2000 // 2 + 300)


def test_more_gpus_than_kv_heads_hold_copies_of_them():
    eight = model(heads=8, kv_heads=2)
    assert eight.kv_bytes_per_token(2) == eight.kv_bytes_per_token() // 2
    assert eight.kv_bytes_per_token(8) == eight.kv_bytes_per_token(2)


@pytest.mark.parametrize(
    ("name", "tp", "said"),
    [
        ("llama-30b", 8, "tp must divide the 52 attention heads of llama-30b, got 8"),
        ("qwen2.5-7b", 7, "tp must divide the 4 KV heads of qwen2.5-7b or be a multiple of them, got 7"),
        ("llama-2-7b", 0, "tp must be >= 1, got 0"),
        ("qwen3-30b-a3b", 3, "tp must divide the 32 attention heads"),
    ],
)
def test_a_split_the_heads_do_not_allow_is_refused(name: str, tp: int, said: str):
    with pytest.raises(ValueError, match=said):
        load_model(name).require_tp(tp)


def test_a_config_of_the_hub_is_read_by_path_and_named_by_its_folder(tmp_path: Path):
    path = write(tmp_path)
    spec = load_model(path)
    assert (spec.name, spec.kv_heads, spec.head_dim, spec.tied_embeddings) == (tmp_path.name, 4, 16, False)
    assert load_model(str(tmp_path)) == spec


def test_an_explicit_head_width_wins_over_hidden_by_heads(tmp_path: Path):
    assert load_model(write(tmp_path, head_dim=32, num_key_value_heads=2)).head_dim == 32
    assert load_model(write(tmp_path, hidden_size=65, head_dim=32)).head_dim == 32


def test_a_qwen_mixture_may_keep_some_layers_dense(tmp_path: Path):
    moe = {
        "model_type": "qwen2_moe",
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 16,
        "num_hidden_layers": 6,
    }
    sparse = load_model(write(tmp_path, **moe, decoder_sparse_step=2, mlp_only_layers=[1]))
    assert (sparse.moe_layers, sparse.intermediate, sparse.shared_intermediate) == (2, 128, 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocab_size": "absent"}, "config.json: vocab_size is missing"),
        ({"model_type": "gpt2"}, "config.json: model_type must be one of llama, mistral, .* got 'gpt2'"),
        ({"num_hidden_layers": -1}, "config.json: num_hidden_layers must be a whole number >= 1, got -1"),
        ({"hidden_size": 4096.5}, "config.json: hidden_size must be a whole number >= 1, got 4096.5"),
        ({"hidden_size": 65}, r"hidden_size must be a multiple of num_attention_heads \(4\), got 65"),
        ({"num_key_value_heads": 3}, r"num_key_value_heads must divide num_attention_heads \(4\), got 3"),
        (
            {"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 3},
            "num_experts_per_tok must be <= the 2 experts, got 3",
        ),
    ],
)
def test_a_config_that_cannot_be_is_refused_with_file_and_key(tmp_path: Path, changes: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said):
        load_model(write(tmp_path, **changes))


def test_a_broken_config_is_refused_with_its_line(tmp_path: Path):
    (tmp_path / "config.json").write_text('{\n "hidden_size": }')
    with pytest.raises(ValueError, match=r"config\.json:2:17: must be JSON"):
        load_model(str(tmp_path))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="must be a JSON object, got list"):
        load_model(str(tmp_path))


def test_an_unknown_model_lists_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"unknown model 'Llama3-8B' \(did you mean llama-3.1-8b\?\); have llama"):
        load_model("Llama3-8B")


def test_a_missing_file_is_refused():
    with pytest.raises(ValueError, match=r"model 'nowhere/config\.json' must be a readable text file"):
        load_model("nowhere/config.json")


def test_an_unknown_dtype_is_refused():
    wrong: Dtype = "int3"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="weights_dtype must be one of bf16, fp16, fp8, got 'int3'"):
        load_model("llama-2-7b", weights_dtype=wrong)
    with pytest.raises(ValueError, match="kv_dtype must be one of"):
        load_model("llama-2-7b", kv_dtype=wrong)
