"""Studies of papers: each is valid, and what it claims has a source."""

from pathlib import Path

import pytest

from simcore.study.api import Study

PAPERS = sorted((Path(__file__).parents[2] / "studies" / "papers").glob("*.yaml"))
REPLAYED = "continuum_replay"
"""A recorded trace, which may not be there; it has no seeds."""


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_study_of_a_paper_is_valid_and_what_it_claims_has_a_source_and_seeds_that_decide_it(path):
    study = Study.load(path)
    if path.stem == REPLAYED:
        study = study.set("workload", {"trace": "swe_programs", "requests": 100})
    cells = study.plan()
    spec = cells[0].spec
    assert spec.study == path.stem
    assert all(claim.source for claim in spec.claims)
    assert not spec.claims or path.stem == REPLAYED or len({cell.seed for cell in cells}) > 1, (
        "one seed decides nothing"
    )
