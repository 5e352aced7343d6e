"""The front of a study, drawn: the score over a price with its intervals, picks marked."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from automl_kd.core import round_bytes, round_numbers, round_steps, size
from automl_kd.delivery import prices, text
from automl_kd.objectives import Objective
from automl_kd.results import StudySummary, TrialResult
from automl_kd.service.pages.svg_plot import Axis, Plot, thinned

_WIDE, _NARROW = (840, 400), (330, 300)
_NAMED = 8
"""Students of a front of which each has its number beside it."""
_MOST_DOTS = 1500


def front_svgs(summary: StudySummary) -> list[dict[str, Markup]]:
    """A plot for each price that is searched, in a form for wide screens and one for phones; none without trials."""
    if not (summary.complete or summary.stopped):
        return []
    return [
        {"wide": _drawn(summary, each, *_WIDE), "narrow": _drawn(summary, each, *_NARROW)}
        for each in prices.known_objectives(summary.objectives)
    ]


def _drawn(summary: StudySummary, price: Objective, width: int, height: int) -> Markup:
    plot = Plot(width, height, _price_axis(summary, price, width), score_axis(summary))
    _draw_lines(plot, summary, price)
    _draw_others(plot, summary, price)
    _draw_front(plot, summary, price)
    _draw_picks(plot, summary, price)
    _name(plot, summary, price)
    score, number = summary.objective, len(summary.front)
    return plot.svg(
        f"{text.capital(score.title)} over predicted {price.title}: {number} student{'' if number == 1 else 's'} on the"
        f" front, {len(summary.complete)} complete trials, {len(summary.stopped)} stopped early. The table below has"
        " the same numbers."
    )


def score_axis(summary: StudySummary) -> Axis:
    """The upward axis: better is up, and the scores that are compared fill it."""
    score = summary.objective
    goods = _compared(summary)
    teacher = summary.teacher.validation_score
    best = max([*goods, *([] if teacher is None else [score.goodness(teacher)])])
    margin = 0.12 * (best - min(goods)) or 0.01
    low, high = score.goodness(min(goods) - 2 * margin), score.goodness(best + margin)
    marks = [(value, score.shown(value)) for value in round_steps(min(low, high), max(low, high))]
    less = " (less is better, upwards)" if score.direction == "minimize" else ""
    return Axis(low, high, marks, f"{score.title} on search-validation{less}")


def _compared(summary: StudySummary) -> list[float]:
    """The scores that are worth the room, larger is better: of the front, and of the better half of the others."""
    score = summary.objective
    others = sorted(score.goodness(each.score) for each in (summary.complete or summary.stopped))
    return [*(score.goodness(each.score) for each in summary.front), *others[len(others) // 2 :]]


def _price_axis(summary: StudySummary, price: Objective, width: int) -> Axis:
    values = [prices.value_of(each, price) for each in summary.complete]
    values += [prices.value_of(each, price) for each in summary.stopped]
    for each in summary.front:
        values += prices.interval_of(each, each.others, price) or ()
    low, high = min(values) / 1.08, max(values) * 1.08
    binary = price.unit == "bytes"
    ticks = [tick for tick in (round_bytes if binary else round_numbers)(low, high) if low <= tick <= high]
    marks = [(tick, size(tick) if binary else f"{tick:g}") for tick in ticks]
    unit = f", {price.unit}" if price.unit and not binary else ""
    device = f" on {prices.device_of(price, summary.hw)}" if prices.is_latency(price) and width > 500 else ""
    title = f"predicted {prices.quantity(price)}{device}{unit} (log)"
    return Axis(low, high, thinned(marks, max(3, width // 60)), title, logarithmic=True)


def _draw_lines(plot: Plot, summary: StudySummary, price: Objective) -> None:
    limits = summary.limits
    limit = {"latency_ms": limits.max_latency_ms, "memory_bytes": limits.max_memory_bytes}.get(price.name)
    if limit is not None and plot.x.holds(limit):
        plot.upwards(limit, "limit", "limit")
    teacher = summary.teacher.validation_score
    if teacher is not None and plot.y.holds(teacher):
        plot.across(teacher, "teacher", "teacher")


def _draw_others(plot: Plot, summary: StudySummary, price: Objective) -> None:
    for stopped in summary.stopped[-_MOST_DOTS:]:
        if plot.y.holds(stopped.score):
            plot.dot(plot.x.at(prices.value_of(stopped, price)), plot.y.at(stopped.score), 2.5, "stopped")
    on_front = {each.trial for each in summary.front}
    for each in summary.complete[-_MOST_DOTS:]:
        if each.trial not in on_front and plot.y.holds(each.score):
            told = _told(summary, each, price)
            plot.dot(plot.x.at(prices.value_of(each, price)), plot.y.at(each.score), 3, "behind", told)


def _draw_front(plot: Plot, summary: StudySummary, price: Objective) -> None:
    front = sorted(summary.front, key=lambda each: prices.value_of(each, price))
    if len(summary.objectives) == 2:  # of three, the front is a surface and no line
        plot.path(_steps(plot, front, price), "front-line")
    for each in front:
        x, y = plot.x.at(prices.value_of(each, price)), plot.y.at(each.score)
        ends = prices.interval_of(each, each.others, price)
        if ends is not None:
            low, high = (min(max(plot.x.at(end), plot.x.first), plot.x.last) for end in ends)
            plot.line(low, y, high, y, "interval")
            plot.line(low, y - 3, low, y + 3, "interval")
            plot.line(high, y - 3, high, y + 3, "interval")
        plot.dot(x, y, 4.5, "front", _told(summary, each, price))


def _steps(plot: Plot, front: Sequence[TrialResult], price: Objective) -> list[tuple[float, float]]:
    """A front is a staircase: between two students the cheaper one's score is what can be had."""
    places: list[tuple[float, float]] = []
    for each in front:
        x, y = plot.x.at(prices.value_of(each, price)), plot.y.at(each.score)
        places += [(x, places[-1][1])] if places else []
        places.append((x, y))
    return places


def _draw_picks(plot: Plot, summary: StudySummary, price: Objective) -> None:
    known = {each.trial: each for each in summary.complete}
    for trial in dict.fromkeys(pick.trial for pick in summary.picks if pick.trial in known):
        each = known[trial]
        plot.dot(plot.x.at(prices.value_of(each, price)), plot.y.at(each.score), 8.5, "pick")


def _name(plot: Plot, summary: StudySummary, price: Objective) -> None:
    """Names of the picks by their roles, then numbers of the others of a small front."""
    roles = {pick.trial: f"{pick.role} · {pick.trial}" for pick in summary.picks}
    few = len(summary.front) <= _NAMED
    names = {**{each.trial: str(each.trial) for each in summary.front if few}, **roles}
    for each in sorted(summary.complete, key=lambda each: each.trial not in roles):
        if each.trial in names:
            x, y = plot.x.at(prices.value_of(each, price)), plot.y.at(each.score)
            plot.name(x, y, names[each.trial], 11 if each.trial in roles else 7)


def _told(summary: StudySummary, each: TrialResult, price: Objective) -> str:
    cost = prices.shown_price(each, each.others, price)
    return f"trial {each.trial}: {text.scored(each.score, summary.objective)} in {cost}"
