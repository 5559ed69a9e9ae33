"""Result folders of every shape, made from toy runs in a moment, and the page read back by an HTML parser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from simcore.report import write_html
from simcore.results import CellResult, StudyFacts, assemble, read_summary
from simcore.results.cell import write_json
from tests.results.toy import SLO, toy_cell, toy_run

STUDY = """\
study: toy
question: Who is faster?
model: {name: llama-3.1-8b, weights_dtype: bf16}
hardware: h100
cluster: {instances: 2}
workload: {arrivals: {kind: poisson}, rate: 20.0}
slo: {ttft_ms: 200.0, tpot_ms: 25.0, attainment: 0.9}
systems:
  first: {router: {policy: round_robin}, scheduler: {policy: vllm_v1}, mechanism: {}}
  second: {router: {policy: least_loaded}, scheduler: {policy: vllm_v1}, mechanism: {swap: async}}
mechanism: {prefix_cache: cold}
faults: [{instance: 1, at_s: 20.0, for_s: 30.0}]
"""
PROVENANCE = {
    "simcore": "0.1.0",
    "code": "c0de",
    "finished": "2026-01-02T03:04:05Z",
    "command": ["/somewhere/simcore", "run", "toy.yaml", "--set", "workload.rate=20"],
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6"},
    "trace": {"name": "toy.csv", "sha256": "5ha"},
    "hardware_error": "of the constants on their tables; matmul bf16: median 8.8%, p90 33.1% of 35742 points; "
    "matmul fp8: median 34.9%, p90 78.1% of 35742 points",
}
SLOWNESS = {"first": 1.0, "second": 0.7}
VOID = ("meta", "link", "wbr", "br", "hr", "img", "input")


def cells(
    folder: Path,
    *,
    systems: Sequence[str] = ("first", "second"),
    points: Sequence[Mapping[str, Any]] = ({},),
    seeds: Sequence[int] = (0, 1),
    slo: Mapping[str, float] = SLO,
    requests: int = 120,
) -> list[CellResult]:
    """Make a finished cell of each system, point and seed; the rate is the point's, else 20 a second."""
    return [
        toy_cell(
            folder / f"{system}-{index}-{seed}",
            toy_run(
                rate=point.get("workload.rate", 20.0), requests=requests, seed=seed, slow=SLOWNESS.get(system, 1.0)
            ),
            system=system,
            point=point,
            seed=seed,
            slo=slo,
        )
        for system in systems
        for index, point in enumerate(points)
        for seed in seeds
    ]


def result(
    out: Path,
    made: Sequence[CellResult],
    *,
    question: str = "Who is faster?",
    slo: Mapping[str, Any] = SLO,
    study: str = STUDY,
    failed: Sequence[Mapping[str, Any]] = (),
    provenance: Mapping[str, Any] = PROVENANCE,
) -> Path:
    """Assemble a result folder, with the study as it ran and what failed."""
    facts = StudyFacts("toy", question, seeds=tuple(dict.fromkeys(cell.seed for cell in made)), slo=slo)
    assemble(out, made, study=facts, provenance=provenance)
    (out / "study.resolved.yaml").write_text(study)
    if failed:
        write_json(out / "failed.json", list(failed))
    return out


def with_summary(out: Path, **changes: Any) -> Path:
    """Change keys of summary.json."""
    write_json(out / "summary.json", {**read_summary(out), **changes})
    return out


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str | None = None, **attributes: str) -> list["Node"]:
        """Return the nodes below of this tag with these attributes; `class_` is one of its classes."""
        class_ = attributes.pop("class_", None)
        found = []
        for child in self.children:
            if isinstance(child, str):
                continue
            fits = tag in (None, child.tag) and attributes.items() <= child.attributes.items()
            if fits and (class_ is None or class_ in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, **attributes, **({"class_": class_} if class_ else {}))
        return found

    def one(self, tag: str | None = None, **attributes: str) -> "Node":
        """Return the first such node; there is one."""
        return self.all(tag, **attributes)[0]


class _Reader(HTMLParser):
    """Builds a tree, and refuses tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(html: str) -> Node:
    """Return the tree of a page. Fails if its tags do not nest."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is not closed"
    return reader.open[0]


def page(out: Path) -> Node:
    """Write the page of a result folder and read it back."""
    return parsed(write_html(out).read_text(encoding="utf-8"))


def sections(tree: Node) -> list[str]:
    """Return the ids of the sections, in order."""
    return [section.attributes["id"] for section in tree.all("section")]


def rows(table: Node) -> list[list[str]]:
    """Return the text of each cell of the body of a table."""
    return [
        [" ".join(cell.text.split()) for cell in row.children if isinstance(cell, Node)]
        for row in table.one("tbody").all("tr")
    ]
