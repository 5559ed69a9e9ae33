"""Models: loaded from Hugging Face folders, they say what transformers' own implementations say."""

import json

import pytest

from tests.real.torch_here import CPU, alone, engine_of, torch

from realbackend.model.shape import shape_of  # isort: skip
from realbackend.model.weights import load_decoder, load_weights, stored  # isort: skip
from realbackend.step import step_of  # isort: skip
from realbackend.work import Work  # isort: skip

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

SMALL = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MODELS = {
    "llama": ("Llama", {}),
    "llama with tied embeddings": ("Llama", {"tie_word_embeddings": True}),
    "llama with rope scaling": ("Llama", {"rope_parameters": LLAMA3}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
}


@pytest.fixture(scope="module", params=list(MODELS.values()), ids=list(MODELS))
def pair(request, tmp_path_factory):
    """A model of transformers whose norms and biases are not 1 and 0, and the decoder loaded from its folder."""
    family, more = request.param
    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(**SMALL, **more)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                weights.add_(torch.randn_like(weights) * 0.2)
            else:
                weights.mul_(5)
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 3, "the checkpoint is in shards"
    return model, load_decoder(str(folder), device=CPU, dtype=torch.float32)


def logits_of(decoder, chunks):
    """Return the logits behind the last token of a prompt that is prefilled in chunks."""
    engine, start = engine_of(decoder, 8), 0
    for chunk in chunks:
        step = step_of([Work(0, start, chunk, list(range(8)), True)], 16, CPU)
        with torch.inference_mode():
            logits = decoder.forward(step, engine.kv.pool, engine.ops)
        start += len(chunk)
    return logits[0]


@pytest.mark.parametrize("chunks", [[90], [40, 33, 17], [1] * 20 + [70]], ids=["whole", "in chunks", "token by token"])
def test_logits_equal_those_of_transformers(pair, chunks):
    model, decoder = pair
    prompt = torch.randint(0, 512, (sum(chunks),), generator=torch.Generator().manual_seed(7)).tolist()
    pieces, at = [], 0
    for size in chunks:
        pieces.append(prompt[at : at + size])
        at += size
    with torch.no_grad():
        expected = model(torch.tensor([prompt])).logits[0, -1]
    torch.testing.assert_close(logits_of(decoder, pieces), expected, rtol=1e-4, atol=2e-4)


def test_greedy_tokens_equal_those_of_transformers(pair):
    model, decoder = pair
    prompt = torch.randint(0, 512, (1, 30), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = model.generate(prompt, max_new_tokens=40, do_sample=False, eos_token_id=None, pad_token_id=0)
    tokens = alone(decoder, prompt[0].tolist(), 40)
    assert tokens == expected[0, 30:].tolist()
    assert len(set(tokens)) > 5, "a model that repeats itself would hide much"


def test_older_configs_are_read_as_newer_ones():
    config = {**SMALL, "model_type": "llama", "rms_norm_eps": 1e-5}
    new = shape_of({**config, "rope_parameters": LLAMA3})
    scaling = {key: value for key, value in LLAMA3.items() if key != "rope_theta"}
    assert new == shape_of({**config, "rope_theta": 500000.0, "rope_scaling": scaling})


def test_weights_are_updated_in_place(pair):
    _, decoder = pair
    before = decoder.layers[0].qkv.data_ptr()
    first = alone(decoder, [1, 2, 3], 8)
    kept = [(name, tensor.clone()) for name, tensor in named(decoder)]
    load_weights(decoder, ((name, torch.randn_like(tensor) * 0.1) for name, tensor in kept))
    assert alone(decoder, [1, 2, 3], 8) != first
    load_weights(decoder, iter(kept))
    assert alone(decoder, [1, 2, 3], 8) == first
    assert decoder.layers[0].qkv.data_ptr() == before


def named(decoder):
    from realbackend.model.weights import places

    return places(decoder).items()


# -- what does not fit ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("checkpoint")
    config = {**SMALL, "model_type": "llama", "rms_norm_eps": 1e-5}
    (folder / "config.json").write_text(json.dumps(config))
    shape = shape_of(config)
    from realbackend.model.weights import drawn

    save_file(
        {name: tensor.contiguous() for name, tensor in drawn(shape, 0, CPU, torch.float32)},
        folder / "model.safetensors",
    )
    return folder


def changed(folder, tmp_path, change):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), r"missing model\.layers\.1\.mlp\.up_proj\.weight"),
        (lambda t: t.update({"model.layers.9.mlp.up_proj.weight": torch.ones(2)}), r"no place for model\.layers\.9"),
        (lambda t: t.update({"model.norm.weight": torch.ones(3)}), r"model\.norm\.weight must be \[64\], got \[3\]"),
    ],
    ids=["a missing key", "a surplus key", "another shape"],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(folder, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_decoder(str(changed(folder, tmp_path, change)), device=CPU, dtype=torch.float32)


def test_a_folder_without_weights_and_a_damaged_file_are_named(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ValueError, match=r"no such file: .*model\.safetensors"):
        list(stored(tmp_path, CPU))
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"model\.safetensors: "):
        list(stored(tmp_path, CPU))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"model_type": "gpt2"}, "model_type must be one of llama, qwen2, qwen3, got 'gpt2'"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be a whole number >= 1, got 0"),
        ({"num_key_value_heads": 3}, r"num_key_value_heads must divide num_attention_heads \(8\), got 3"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rope_scaling must be of type llama3 or default, got 'yarn'"),
        ({"hidden_act": "gelu"}, "hidden_act must be silu, got 'gelu'"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused_by_key(more, message):
    with pytest.raises(ValueError, match=message):
        shape_of({**SMALL, "model_type": "llama", **more})
