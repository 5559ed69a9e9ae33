"""Claims in a study: mistakes are placed before anything runs; a run answers each claim."""

import re
from pathlib import Path

import pytest

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from simcore.study.schema_claims import ClaimSpec
from tests.study.tiny import TINY, problems_of, write_study

SWEPT = TINY + "sweep: {workload.rate: [10, 20, 40]}\nseeds: 3\nclaims:\n"
ROOT = Path(__file__).parents[2]
HERE = SWEPT.count("\n") + 1


def mistakes(claim: str, text: str = SWEPT) -> list[str]:
    """Return what is wrong with a claim, after its place, `claims[0]`."""
    lines = problems_of(f"{text}  - {{claim: it is so, {claim}}}\n")
    return [line.partition(": claims[0]")[2].lstrip(".: ") for line in lines]


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("metric: p99_tfft_ms, systems: [two, round_robin], relation: <",
         "metric: unknown metric 'p99_tfft_ms'; docs/metrics.md has them (did you mean 'p99_ttft_ms'?)"),
        ("metric: p99_ttft_ms, systems: [tow, round_robin], relation: <",
         "systems[0]: unknown system 'tow'; have round_robin, two (did you mean 'two'?)"),
        ("metric: p99_ttft_ms, systems: [two, two], relation: <", "systems[1]: names 'two' twice"),
        ("metric: p99_ttft_ms, systems: two, relation: <",
         "systems: '<' orders two systems or more, got one; the number of one is a `value`"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: value, max: 1",
         "systems: a value is that of one system, got 2"),
        ("metric: p99_ttft_ms, systems: two, relation: ratio, max: 1",
         "systems: a ratio is that of two systems, got 1"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: less",
         "relation: must be one of >, >=, <, <=, ratio, reduction, difference, value, grows with KEY, falls with KEY, "
         "flat in KEY, peaks over KEY, got 'less'"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: <, at: {rat: 10}",
         "at.rat: 'rat' is not swept; swept are workload.rate (did you mean 'rate'?)"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: <, at: {rate: 11}",
         "at.rate: must be one of the values swept, 10, 20, 40, got 11"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: <, at: bset",
         "at: must be all or best or worst, got 'bset' (did you mean 'best'?)"),
        ("metric: breaking_point, systems: [two, round_robin], relation: <, at: {rate: 10}",
         "at.rate: a breaking_point belongs to no single rate"),
        ("metric: p99_ttft_ms, systems: two, relation: grows with instances",
         "relation: 'instances' is not swept; swept are workload.rate"),
        ("metric: p99_ttft_ms, systems: two, relation: grows with rate, at: {rate: 10}",
         "at.rate: 'grows with rate' looks at all values of workload.rate"),
        ("metric: p99_ttft_ms, systems: two, relation: grows with rate, at: best",
         "at: 'best' needs one quantity at each point; 'grows with rate' of these has more"),
        ("metric: p99_ttft_ms, systems: two, relation: grows with rate, min: 1", "min: does not go with 'grows with'"),
        ("metric: p99_ttft_ms, systems: two, relation: flat in rate", "'flat in' needs within"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: ratio", "'ratio' needs min or max or within"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: ratio, within: 0.1, paper: about two",
         "within: is a share of the paper's number: `paper` must be a number, or two"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: ratio, min: 2, max: 1",
         "min: must be <= max (1), got 2"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: <, paper: [1, 2, 3]",
         "paper: must be a number for each of the 2 systems, got 3"),
        ("metric: p99_ttft_ms, systems: [two, round_robin], relation: <, request_class: urgent",
         "request_class: unknown class 'urgent'; have default"),
        ("metric: p99_itl_ms, systems: [two, round_robin], relation: <, request_class: default",
         "metric: unknown metric of a request class 'p99_itl_ms'; docs/metrics.md has them "
         "(did you mean 'p99_ttft_ms'?)"),
        ("metric: p99_itl_ms, systems: [two, round_robin], relation: <, source: 2406.03243",
         "source: must be text, got 2406.03243"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_claim_is_placed_and_named(claim, message):
    assert mistakes(claim) == [message]


def test_a_breaking_point_needs_rates_and_an_slo():
    claim = "metric: breaking_point, systems: [two, round_robin], relation: '>'"
    one_rate = TINY + "seeds: 3\nclaims:\n"
    assert mistakes(claim, one_rate) == ["metric: breaking_point needs a sweep of workload.rate over two rates or more"]
    promised = "slo: {ttft_ms: 500, tpot_ms: 50}\n"
    assert mistakes(claim, SWEPT.replace(promised, "slo: {}\n")) == ["metric: breaking_point needs an `slo`"]


def test_a_mistake_is_said_once_for_all_points_and_has_its_place():
    claim = "  - {claim: c, metric: mean_ttft, systems: [two, round_robin], relation: <}\n"
    (line,) = problems_of(SWEPT + claim)
    assert line.startswith(f"tiny.yaml:{HERE}:16: claims[0].metric: unknown metric 'mean_ttft'")


AT_20 = "  - {claim: c, metric: mean_ttft_ms, systems: [two, round_robin], relation: <, at: {rate: 20}}\n"


def test_what_an_override_takes_away_is_no_mistake_of_the_claim():
    study = Study(parse(SWEPT + AT_20, "tiny.yaml", Path()))
    assert len(study.set("workload.rate", 30).plan()) == 2 * 3
    assert len(study.set("sweep", {"cluster.instances": [1, 2]}).plan()) == 2 * 2 * 3
    with pytest.raises(StudyError, match="is not swept"):
        study.set(
            "claims", [{"claim": "c", "metric": "mean_ttft_ms", "systems": "two", "relation": "grows with x"}]
        ).plan()


def test_the_page_on_claims_has_every_key_and_its_example_is_read():
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert {key for key in ClaimSpec.model_fields if f"`{key}`" not in page} == set()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    systems = ("round_robin", "least_loaded", "one_pool", "two_pools")
    study = Study(parse(SWEPT + AT_20, "tiny.yaml", Path())).set("systems", {name: {} for name in systems})
    assert study.set("claims", parse(example, "example", Path()).data["claims"]).plan()


@pytest.mark.parametrize("name", ["ttft_slo", "sessions_prefix"])
def test_claims_of_a_shipped_study_can_be_checked(name):
    study = Study.load(ROOT / "studies" / f"{name}.yaml")
    assert study.set("workload.requests", 1000).set("warm_up", {}).plan()


# Requests have at most 20 tokens, and both systems serve the same ones.
CLAIMS = """\
  - {claim: two wait no longer, metric: mean_ttft_ms, systems: [two, round_robin], relation: "<="}
  - {claim: waits grow, metric: mean_e2el_ms, systems: two, relation: grows with rate}
  - {claim: no request is long, metric: total_output_tokens, per: completed, systems: two, relation: value, max: 20,
     source: our own question}
  - {claim: twice the tokens, metric: total_output_tokens, systems: [two, round_robin], relation: ratio, within: 0.1,
     paper: 2.0, source: "arXiv:0000.00000, table 1", at: best}
  - {claim: none is refused, metric: rejected, systems: [two, round_robin], relation: difference, min: 0, max: 0}
  - {claim: it breaks earlier, metric: breaking_point, systems: [two, round_robin], relation: <}
"""


def test_a_run_answers_every_claim_of_its_study(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    results = Study.load(write_study(tmp_path, SWEPT + CLAIMS)).run(out=tmp_path / "out", jobs=1, plots=False)
    entries = {entry["claim"]: entry for entry in results.data["claims"]}
    verdicts = {claim: entry["holds"] for claim, entry in entries.items()}
    assert verdicts["waits grow"] is True
    assert verdicts["no request is long"] is True
    assert verdicts["none is refused"] is True
    assert (verdicts["twice the tokens"], entries["twice the tokens"]["here"]) == (False, 1.0)
    assert entries["twice the tokens"]["paper"] == 2.0
    # Neither breaks at these rates.
    assert verdicts["it breaks earlier"] is None
    assert "still keeps the SLO at 40 req/s" in entries["it breaks earlier"]["why"]
    again = Study.load(tmp_path / "out" / "study.resolved.yaml").run(out=tmp_path / "again", jobs=1, plots=False)
    assert again.data["claims"] == results.data["claims"]


def test_the_one_seed_of_a_run_leaves_all_claims_open(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    study = Study.load(write_study(tmp_path, SWEPT + CLAIMS)).set("seeds", 1)
    entries = study.run(out=tmp_path / "out", jobs=1, plots=False).data["claims"]
    assert {entry["holds"] for entry in entries} == {None}
