"""A profile and a run that share the truth."""

import pytest

from simcore.cost.layers.cost import LayerProfile, Terms
from simcore.cost.layers.folder import import_layers
from tests.cost import made_layers
from tests.validation import made_run

OVERHEAD_S = 0.0001


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with profile/ and run/; the server takes a tenth of a millisecond longer for each step with a prompt."""
    folder = tmp_path_factory.mktemp("made")
    tables = import_layers(made_layers.write(folder / "profile"))
    terms = Terms(prefill_step_overhead_s=OVERHEAD_S)
    cost = LayerProfile(made_layers.tiny(), None, tables, terms=terms, graph_sizes=(1, 2, 4, 8, 16))
    made_run.write(folder / "run", cost)
    return folder


@pytest.fixture
def model_file(tmp_path):
    """The `config.json` of the model that was profiled."""
    spec = made_layers.tiny()
    path = tmp_path / "tiny.json"
    sizes = {"num_hidden_layers": spec.layers, "hidden_size": spec.hidden, "num_attention_heads": spec.heads}
    sizes |= {"num_key_value_heads": spec.kv_heads, "head_dim": spec.head_dim, "vocab_size": spec.vocab}
    text = {"model_type": "llama", "intermediate_size": spec.intermediate, **sizes}
    path.write_text(str(text).replace("'", '"'))
    return str(path)
