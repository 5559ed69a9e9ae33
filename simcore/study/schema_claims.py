"""Claim schema: what a paper or a team says of the systems, to be held against the study's own runs."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from simcore.study.spec import Spec, or_else

if TYPE_CHECKING:
    from simcore.results.claims import Claim


def _one_or_more(systems: Any) -> Any:
    """Read a name as a list of one."""
    return (systems,) if isinstance(systems, str) else systems


def _relation(text: str) -> str:
    from simcore.results.claims_relation import Relation

    Relation.parse(text)
    return text


Text = Annotated[str, Field(min_length=1)]
SystemNames = Annotated[tuple[str, ...], Strict(False), Field(min_length=1), BeforeValidator(_one_or_more)]
Which = Literal["all", "best", "worst"]
At = Annotated[dict[str, Any] | Which, or_else(dict, dict[str, Any], Which)]
Numbers = Annotated[tuple[float, ...], Strict(False), Field(min_length=2)]
NumberOrText = Annotated[float | str, or_else(str, str, float)]
Paper = Annotated[float | str | Numbers, or_else((list, tuple), Numbers, NumberOrText)]


class ClaimSpec(Spec):
    """One claim: `metric` of `systems` stands in `relation`, at some sweep points; docs/claims.md has the rules.

    `min`, `max` or `within` (a share of the paper's number) bound a ratio, reduction, difference or value. `paper` and
    `source` are repeated beside what was found.
    """

    claim: Text
    metric: str
    systems: SystemNames
    relation: Annotated[str, AfterValidator(_relation)]
    at: At = "all"
    min: float | None = None
    max: float | None = None
    within: Annotated[float, Field(gt=0, le=10)] | None = None
    paper: Paper | None = None
    source: str = ""
    per: str | None = None
    request_class: str | None = None
    even_overloaded: bool = False

    def as_claim(self) -> "Claim":
        """Return the claim as `simcore.results` checks it."""
        from simcore.results.claims import Claim
        from simcore.results.claims_relation import Relation

        fields = {name: getattr(self, name) for name in ClaimSpec.model_fields}
        return Claim(**{**fields, "claim": " ".join(self.claim.split()), "relation": Relation.parse(self.relation)})
