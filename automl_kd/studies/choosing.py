"""Which trial of a study is meant: by its role, its number, or a rule."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.core import UserError, counted
from automl_kd.objectives import Point, knee
from automl_kd.results import PickResult, Rule, StudySummary, TrialResult, is_rule


@dataclass(frozen=True)
class Choice:
    """The trial that is meant.

    Attributes:
        trial: Its number.
        why: Why it and no other for which a rule holds, for people; None where no rule decided.
    """

    trial: int
    why: str | None = None


def chosen(wanted: str | int, summary: StudySummary) -> Choice:
    """The trial that is meant; a role is looked for among the picks first, then on the front.

    Args:
        wanted: A role, the number of a finished trial, or a rule.
        summary: The study.

    Raises:
        UserError: If there is no such trial.
    """
    name, text = summary.study, str(wanted)
    if not summary.front:
        raise UserError(f"study {name} has no finished trial yet; automl-kd status --study {name} tells how far it is")
    roles = _on_front(summary)
    if text in roles:
        return Choice({**roles, **{each.role: each.trial for each in summary.picks}}[text])
    if is_rule(text):
        return _by_rule(text, summary)
    if not text.isdecimal():
        raise UserError(
            f"pick {wanted!r}: write {', '.join(roles)}, the number of a trial, or a rule such as"
            " 'score >= 0.95 and latency_ms <= 3'"
        )
    if int(text) not in {each.trial for each in summary.complete}:
        shown = ", ".join(map(str, sorted(each.trial for each in summary.front)))
        raise UserError(f"trial {wanted} of study {name} did not reach the top rung; on the front are {shown}")
    return Choice(int(text))


def as_exported(trial: TrialResult, pick: PickResult | None) -> TrialResult:
    """A finished trial with the price, form and length of what is exported of it, where that is a pick.

    Its score stays that of search-validation: who chose by the test split would make it too good.
    """
    if pick is None:
        return trial
    prices = {name: value for name, value in pick.objectives.items() if name in trial.objectives}
    score = next(iter(trial.objectives))
    kept = {name: getattr(pick, name) for name in ("latency_ms", "latency_low", "latency_high", "recipe", "epochs")}
    return trial.model_copy(update={**kept, "objectives": {**trial.objectives, **prices, score: trial.score}})


def _by_rule(text: str, summary: StudySummary) -> Choice:
    rule = Rule.parse(text, summary.objectives, summary.metrics)
    picks = {each.trial: each for each in summary.picks}
    trials = [as_exported(each, picks.get(each.trial)) for each in summary.complete]
    holding = [each for each in trials if rule.holds(each)]
    if not holding:
        nearest = min(trials, key=lambda each: (rule.distance(each), each.trial not in picks, each.trial))
        raise UserError(
            f"{rule} holds for no finished trial of study {summary.study}; nearest comes trial {nearest.trial}:"
            f" {', '.join(rule.missed(nearest))}"
        )
    score = summary.objective
    best = min(
        holding,
        key=lambda each: (each.trial not in picks, -score.goodness(each.score), each.latency_ms, each.trial),
    )
    return Choice(best.trial, _why(rule, score.title, [each for each in holding if each.trial in picks], holding))


def _why(rule: Rule, score: str, in_full: list[TrialResult], holding: list[TrialResult]) -> str:
    kind, tail = ("pick", " distilled in full") if in_full else ("finished trial", "")
    among = len(in_full or holding)
    if among == 1:
        return f"the only {kind}{tail} for which {rule} holds"
    return f"best {score} on search-validation of {counted(among, kind)}{tail} for which {rule} holds"


def _on_front(summary: StudySummary) -> dict[str, int]:
    """Trials of the front by what each is best in."""
    objectives = summary.objectives
    points = [Point(each.trial, tuple(each.objectives[one.name] for one in objectives)) for each in summary.front]
    roles = {"knee": knee(points, objectives).trial}
    for objective in objectives:
        worth = {each.trial: objective.goodness(each.objectives[objective.name]) for each in summary.front}
        roles[objective.extreme_role] = max(worth, key=worth.__getitem__)
    return roles
