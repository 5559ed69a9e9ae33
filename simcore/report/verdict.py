"""Verdict: the answer of a study in a sentence, with how sure it is; never surer than its seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from simcore.report.folder import ResultFolder
from simcore.report.measures import Measure, breaking_measure, metric_measure
from simcore.report.notes import notes
from simcore.report.standing import Standing, by_seed, stand
from simcore.results.plots.style import point_words
from simcore.results.stats import point_text
from simcore.results.wording import plain

Tone = Literal["sure", "unsure", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader takes home.

    Args:
        headline: the answer, a sentence or two.
        badge: how sure it is, in a few words; `tone` is how that is to be taken.
        answers: the sentence of each sweep point, where there are several.
        notes: what qualifies the answer.
    """

    headline: str
    badge: str
    tone: Tone
    answers: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer at one point; `winner` only where one is certainly ahead, or is alone."""

    where: str
    sentence: str
    badge: str
    tone: Tone
    winner: str | None = None


def verdict(folder: ResultFolder) -> Verdict:
    """Return the answer of a study, whatever its shape."""
    summary = folder.summary
    found = list(_of_load(summary) if summary["breaking"] else _of_metric(folder))
    qualified = tuple(notes(folder))
    if not found:
        return Verdict("No request counts: there is nothing to compare.", "no data", "bad", (), qualified)
    if len(found) == 1:
        return Verdict(found[0].sentence, found[0].badge, found[0].tone, (), qualified)
    sentences = tuple(f"{answer.where[0].upper()}{answer.where[1:]}: {answer.sentence}" for answer in found)
    headline, badge, tone = _together(found, _measure(folder), len({run["system"] for run in summary["runs"]}))
    return Verdict(headline, badge, tone, sentences, qualified)


def _measure(folder: ResultFolder) -> Measure:
    breaking = folder.summary["breaking"]
    if breaking:
        return breaking_measure(breaking[0]["target"])
    return metric_measure(folder.summary, all_at_once=folder.at_once)


def _together(found: Sequence[_Answer], measure: Measure, systems: int) -> tuple[str, str, Tone]:
    """Return headline, badge and tone of several points."""
    winners = [answer.winner for answer in found]
    if systems == 1:
        return f"{found[0].sentence} {_of_points(len(found), 'The first')} more below.", found[0].badge, found[0].tone
    if winners[0] is not None and len(set(winners)) == 1:
        return f"{winners[0]} {measure.ahead} at each of the {len(found)} sweep points.", "certain at 95%", "sure"
    if not any(winners):
        headline = f"At none of the {len(found)} sweep points is one system certainly ahead of all others."
        return headline, found[0].badge if len({answer.badge for answer in found}) == 1 else "not certain", "unsure"
    said = [f"{winner} {measure.ahead} at {_places(found, winner)}" for winner in dict.fromkeys(winners) if winner]
    if None in winners:
        said.append(f"no system is certainly ahead at {_places(found, None)}")
    return f"It depends: {'; '.join(said)}.", "differs by sweep point", "unsure"


def _of_points(count: int, which: str) -> str:
    return f"{which} of {count} sweep points;"


def _places(found: Sequence[_Answer], winner: str | None) -> str:
    places = [answer.where for answer in found if answer.winner == winner]
    return ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")


# -- a sweep of the arrival rate with an SLO ------------------------------------------------------------------


def _of_load(summary: Mapping[str, Any]) -> Iterator[_Answer]:
    """Yield who carries the most load, at each combination of the other sweep keys."""
    points = {point_text(entry["point"]): entry["point"] for entry in summary["breaking"]}
    for text, point in points.items():
        entries = [entry for entry in summary["breaking"] if point_text(entry["point"]) == text]
        yield _at_load(entries, point_words(point))


def _at_load(entries: Sequence[Mapping[str, Any]], where: str) -> _Answer:
    measure = breaking_measure(entries[0]["target"])
    low, high = (plain(entries[0]["rates"][end]) for end in (0, -1))
    share = f"{100 * entries[0]['target']:g}% of requests within the SLO"
    crossed = {
        entry["system"]: {seed["seed"]: seed["rate"] for seed in entry["seeds"]}
        for entry in entries
        if entry["where"] == "crossed"
    }
    above = [entry["system"] for entry in entries if entry["where"] == "above the highest rate"]
    if above:
        verb = "keeps" if len(above) == 1 else "keep"
        beyond = f"{_listed(above)} {verb} {share} at every rate swept, up to {high} req/s: the sweep ends before"
        return _Answer(
            where, f"{beyond} {'it breaks' if len(above) == 1 else 'they break'}.", "breaks beyond the sweep", "unsure"
        )
    if crossed:
        known = _ranked(stand(crossed, more_is_better=True, in_ratio=True), measure, where)
        return _beside(known, entries, low, high)
    if all(entry["where"] == "below the lowest rate" for entry in entries):
        who = "No system keeps" if len(entries) > 1 else f"{entries[0]['system']} does not keep"
        return _Answer(where, f"{who} {share}, not even at {low} req/s, the lowest rate swept.", "SLO not kept", "bad")
    odd = (
        f"The load up to which {share} are kept lies outside {low} to {high} req/s for some seeds: there is no number."
    )
    return _Answer(where, odd, "seeds disagree", "unsure")


def _beside(known: _Answer, entries: Sequence[Mapping[str, Any]], low: str, high: str) -> _Answer:
    """Return the answer about systems with a breaking point, and beside it those without a number."""
    below = [entry["system"] for entry in entries if entry["where"] == "below the lowest rate"]
    unclear = [entry["system"] for entry in entries if entry["where"] == "differs by seed"]
    if below:
        behind = "Behind" if len(entries[0]["seeds"]) == 1 else "Certainly behind"
        said = f"{known.sentence} {behind}: {_listed(below)}, not even at {low} req/s, the lowest rate swept."
        known = replace(known, sentence=said)
    if not unclear:
        return known
    verb = "breaks" if len(unclear) == 1 else "break"
    said = (
        f"{known.sentence} {_listed(unclear)} {verb} outside {low} to {high} req/s for some seeds: no number, no rank."
    )
    return replace(known, sentence=said, badge="seeds disagree", tone="unsure", winner=None)


# -- all other studies ----------------------------------------------------------------------------------------


def _of_metric(folder: ResultFolder) -> Iterator[_Answer]:
    """Yield who is ahead at each sweep point."""
    runs = folder.summary["runs"]
    measure = _measure(folder)
    points = {point_text(run["point"]): run["point"] for run in runs}
    for text, point in points.items():
        values = by_seed([run for run in runs if point_text(run["point"]) == text], measure.metric)
        if values:
            positive = all(value > 0 for of_system in values.values() for value in of_system.values())
            in_ratio = positive and not measure.is_share
            standing = stand(values, more_is_better=measure.more_is_better, in_ratio=in_ratio)
            yield _ranked(standing, measure, point_words(point))


def _ranked(standing: Standing, measure: Measure, where: str) -> _Answer:
    """Return the sentence of a ranking, as sure as it is."""
    best, found = standing.best, standing.means[standing.best]
    said = measure.value.format(value=measure.said(found))
    if standing.next is None:
        badge = "one seed: no interval" if found.n == 1 else f"95% interval over {found.n} seeds"
        alone = measure.alone.format(system=best, value=measure.said(found))
        return _Answer(where, f"{alone}.", badge, "unsure" if found.n == 1 else "sure", best)
    if standing.level:
        each = measure.alone.format(system="each", value=measure.said(found))
        return _Answer(where, f"All systems come out equal: {each}.", "no difference", "unsure")
    lead = "" if standing.lead is None else f" ({measure.lead(standing.lead, in_ratio=standing.in_ratio)})"
    if found.n == 1:
        only = f"In the one seed that was run, {best} {measure.ahead}: {said}, ahead of {standing.next}{lead}."
        return _Answer(where, f"{only} One seed cannot say whether by chance.", "one seed: no interval", "unsure")
    if not standing.tied:
        sentence = f"{best} {measure.ahead}: {said}, ahead of {standing.next}{lead}, the next best."
        return _Answer(where, sentence, "certain at 95%", "sure", best)
    tied = _listed([f"{name}{lead if name == standing.next else ''}" for name in standing.tied])
    behind = f" Certainly behind: {_listed(standing.beaten)}." if standing.beaten else ""
    sentence = f"No single winner: {best} comes out first with {said}, but not certainly ahead of {tied}.{behind}"
    return _Answer(where, sentence, "not certain at 95%", "unsure")


def _listed(names: Sequence[str]) -> str:
    """Return names as a list in words.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
