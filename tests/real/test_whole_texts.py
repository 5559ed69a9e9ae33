"""Whole texts: log-probabilities that training differentiates equal those of transformers and of the engine."""

import pytest

from tests.real.test_models import MODELS, SMALL, transformers
from tests.real.torch_here import CPU, engine_of, torch

from realbackend.model.decoder import Decoder  # isort: skip
from realbackend.model.shape import shape_of  # isort: skip
from realbackend.model.weights import load_weights  # isort: skip
from realbackend.model.whole_texts import log_probs_of, logits_of, padded, trainable  # isort: skip
from realbackend.step import step_of  # isort: skip
from realbackend.work import Work  # isort: skip


@pytest.fixture(scope="module", params=["llama with tied embeddings", "llama with rope scaling", "qwen2", "qwen3"])
def pair(request):
    """A model of transformers with larger weights, and the same as a decoder."""
    family, more = MODELS[request.param]
    assert isinstance(more, dict)
    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(**SMALL, **more)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    decoder = Decoder.empty(shape_of(config.to_dict()), CPU, torch.float32)
    load_weights(decoder, ((name, weights.detach()) for name, weights in model.named_parameters()))
    return model, decoder


TEXTS = [list(range(3, 40)), [7, 7, 9, 11], list(range(500, 400, -5))]


def test_log_probabilities_equal_those_of_transformers(pair):
    model, decoder = pair
    found = log_probs_of(decoder, padded(TEXTS, CPU), temperature=0.8)
    for text, row in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([text])).logits[0, :-1] / 0.8
        expected = logits.log_softmax(-1).gather(1, torch.tensor(text[1:]).unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(row[: len(text) - 1], expected, rtol=1e-4, atol=2e-4)


def test_logits_equal_those_of_the_engine_over_its_blocks(pair):
    _, decoder = pair
    text = TEXTS[0]
    engine, whole = engine_of(decoder, 4), logits_of(decoder, padded([text], CPU))[0]
    for start, chunk in ((0, text[:20]), (20, text[20:36]), (36, text[36:])):
        step = step_of([Work(0, start, chunk, [0, 1, 2], True)], 16, CPU)
        with torch.inference_mode():
            logits = decoder.forward(step, engine.kv.pool, engine.ops)[0]
        torch.testing.assert_close(logits, whole[start + len(chunk) - 1], rtol=1e-4, atol=2e-4)


def test_gradients_equal_those_of_transformers(pair):
    model, decoder = pair
    text = torch.tensor([TEXTS[0]])
    weights = trainable(decoder)
    log_probs_of(decoder, text).mean().backward()
    expected = model(text, labels=text)
    (-expected.loss).backward()
    theirs = model.model.norm.weight.grad, model.model.embed_tokens.weight.grad
    torch.testing.assert_close(decoder.norm.grad, theirs[0], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(decoder.embedding.grad, theirs[1], rtol=1e-3, atol=1e-5)
    assert all(each.grad is not None and bool(each.grad.any()) for each in weights)
    for each in weights:
        each.requires_grad_(False)
    model.zero_grad()
