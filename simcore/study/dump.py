"""Dump: a study's plain values as YAML, as people write it."""

from collections.abc import Mapping
from io import StringIO
from typing import Any


def yaml_text(data: Mapping[str, Any]) -> str:
    """Return `data` as YAML in the order given; what holds no further mappings or lists stands on one line.

    >>> print(yaml_text({"study": "s", "workload": {"rate": 8, "requests": 100}}), end="")
    study: s
    workload: {rate: 8, requests: 100}
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    text = StringIO()
    yaml.dump(dict(data), text)
    return text.getvalue()
