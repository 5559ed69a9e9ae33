"""The studies of papers: each is valid as it stands, claims something, and says who says so."""

from pathlib import Path

import pytest

from simcore import Study

PAPERS = sorted((Path(__file__).parents[2] / "studies" / "papers").glob("*.yaml"))


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_study_of_a_paper_is_valid_and_says_what_it_claims_and_who_says_so(path):
    cells = Study.load(path).plan()
    spec = cells[0].spec
    assert spec.study == path.stem
    assert spec.claims
    assert all(claim.source for claim in spec.claims)
    assert len({cell.seed for cell in cells}) > 1, "one seed decides nothing"
