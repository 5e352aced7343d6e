"""Draw what ``make demo`` found for the README: the front, its picks in full beside their arms, and the teacher.

    python -m benchmarks.draw_demo [--storage demo/automl-kd.db] [--out docs/figures/demo.svg]

Transparent, in colours that can be read on white and on black: a README's image cannot follow the page around it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from automl_kd.results import Arm, PickResult, StudySummary, TeacherResult
from automl_kd.storage import Database
from automl_kd.studies.summary import summarize

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 30, 56
TEXT, FAINT, GREY = "#7d8590", "rgba(128,128,128,0.25)", "#8a8f98"
BLUE, ORANGE, GREEN, PINK = "#2f81c7", "#e0701f", "#1a9e77", "#c46aa4"
ARMS: Mapping[Arm, tuple[str, str]] = {
    "searched": ("searched", ORANGE),
    "plain_kd": ("plain KD", PINK),
    "no_distillation": ("no teacher", GREY),
}
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Axes:
    """Latency to the right, logarithmic, from ``low`` to ``high``; the score, a share, upwards from ``floor`` to 1."""

    low: float
    high: float
    floor: float

    @classmethod
    def of(cls, summary: StudySummary) -> Axes:
        front = summary.front
        in_full = [arm.score for pick in summary.picks for arm in pick.arms.values()]
        lowest = min([each.score for each in front] + in_full)
        low = min(each.latency_low for each in front)
        high = max([each.latency_ms for each in summary.complete] + [each.latency_high for each in front])
        return cls(low / 1.4, high * 1.1, math.floor(10 * lowest - 0.5) / 10)

    def x(self, ms: float) -> float:
        share = math.log(ms / self.low) / math.log(self.high / self.low)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)

    def y(self, score: float) -> float:
        share = (score - self.floor) / (1 - self.floor)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

    def drawn(self, hw: str, metric: str) -> Iterator[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for tenth in range(round(10 * self.floor), 11):
            y = self.y(tenth / 10)
            yield line(LEFT, y, right, y, FAINT)
            yield text(LEFT - 8, y + 4, f"{10 * tenth} %", anchor="end")
        for ms in (step * 10.0**decade for decade in range(-4, 4) for step in (1, 2, 5)):
            if self.low <= ms <= self.high:
                yield line(self.x(ms), bottom, self.x(ms), bottom + 5, GREY)
                yield text(self.x(ms), bottom + 20, f"{ms:g}", anchor="middle")
        yield text((LEFT + right) / 2, HEIGHT - 12, f"latency predicted for {hw}, ms (logarithmic)", anchor="middle")
        yield text(LEFT, TOP - 12, metric)


def drawn(summary: StudySummary) -> str:
    """The picture as SVG.

    Args:
        summary: Of a study with a front and picks, whose metric is a share.
    """
    axes, metric = Axes.of(summary), summary.objective.title
    parts = [*axes.drawn(summary.hw, metric), *_teacher(summary.teacher, axes), *_short_runs(summary, axes)]
    reached = {each.trial: each.score for each in summary.complete}
    for pick in summary.picks:
        parts += _in_full(pick, reached[pick.trial], axes)
    parts += _legend()
    title = f"{summary.task} on {summary.hw}: {metric} over latency"
    head = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" font-size="13" fill="{TEXT}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>\n<title>{escape(title)}</title>\n{body}\n</svg>\n'


def _teacher(teacher: TeacherResult, axes: Axes) -> Iterator[str]:
    if teacher.score is None:
        return
    y = axes.y(teacher.score)
    yield line(LEFT, y, WIDTH - RIGHT, y, GREEN, dash="2 4", width=1.6)
    yield text(WIDTH - RIGHT + 10, y + 4, f"teacher {_percent(teacher.score)}", GREEN, weight=600)


def _short_runs(summary: StudySummary, axes: Axes) -> Iterator[str]:
    """All trials as the search saw them, and its front with the intervals of the latency."""
    for each in summary.complete:
        if each.score >= axes.floor and each.latency_ms >= axes.low:
            yield dot(axes.x(each.latency_ms), axes.y(each.score), 3, GREY, opacity=0.5)
    spots = [(axes.x(each.latency_ms), axes.y(each.score)) for each in summary.front]
    steps = " ".join(f"{x},{before[1]} {x},{y}" for before, (x, y) in zip([spots[0], *spots], spots, strict=False))
    yield f'<polyline points="{steps}" fill="none" stroke="{BLUE}" stroke-width="1.6"/>'
    for each, (x, y) in zip(summary.front, spots, strict=True):
        yield line(axes.x(each.latency_low), y, axes.x(each.latency_high), y, BLUE, width=4, opacity=0.3)
        yield dot(x, y, 4.5, BLUE)
    x, y = spots[-1]
    yield text(WIDTH - RIGHT + 10, y + 4, "front of the search", BLUE, weight=600)
    yield text(WIDTH - RIGHT + 10, y + 20, "(short runs)", BLUE)


def _in_full(pick: PickResult, before: float, axes: Axes) -> Iterator[str]:
    """A pick as it was distilled in full, on the test, beside the same network trained otherwise.

    Labels stand where the front is not: left of what is above it, right of what is below.

    Args:
        pick: The pick.
        before: What the search saw of it.
        axes: Where things are.
    """
    x = axes.x(pick.latency_ms)
    found = [(pick.arms[arm].score, name, colour) for arm, (name, colour) in ARMS.items() if arm in pick.arms]
    yield line(x, axes.y(min(found)[0]), x, axes.y(max(found)[0]), GREY, width=1.2)
    heights = _apart([axes.y(score) for score, _, _ in found])
    for (score, name, colour), height in zip(found, heights, strict=True):
        yield dot(x, axes.y(score), 7 if name == "searched" else 5.5, colour)
        label = f"{pick.role if name == 'searched' else name} {_percent(score)}"
        left = score >= before
        yield text(x - 12 if left else x + 12, height + 4, label, colour, anchor="end" if left else "start", weight=600)


def _legend() -> Iterator[str]:
    """What the dots of a pick are."""
    x, y = WIDTH - RIGHT + 10, HEIGHT - BOTTOM - 80
    yield text(x, y, "picks, trained in full:", weight=600)
    for row, (name, colour) in enumerate(
        (("by the searched recipe", ORANGE), ("by plain KD", PINK), ("without the teacher", GREY)), start=1
    ):
        yield dot(x + 6, y + 20 * row - 4, 5.5, colour)
        yield text(x + 18, y + 20 * row, name)


def _apart(heights: list[float], least: float = 15.0) -> list[float]:
    """The heights of labels, moved down where one would cover another."""
    placed = dict.fromkeys(range(len(heights)), 0.0)
    above = -math.inf
    for index in sorted(placed, key=heights.__getitem__):
        above = placed[index] = max(heights[index], above + least)
    return list(placed.values())


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str = "", width: float = 1.0, opacity: float = 1.0
) -> str:
    more = f' stroke-dasharray="{dash}"' if dash else ""
    more += f' stroke-opacity="{opacity}"' if opacity < 1 else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"{more}/>'


def dot(x: float, y: float, radius: float, colour: str, *, opacity: float = 1.0) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}" fill-opacity="{opacity}"/>'


def text(x: float, y: float, words: str, colour: str = TEXT, *, anchor: str = "start", weight: int = 400) -> str:
    style = f'fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>'


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", default="demo/automl-kd.db", help="database of the search")
    parser.add_argument("--study", default="cluttered-digits-local-tiny_resnet")
    figures = Path(__file__).parent.parent / "docs" / "figures"
    parser.add_argument("--out", type=Path, default=figures / "demo.svg", help="file")
    options = parser.parse_args()
    options.out.write_text(drawn(summarize(Database(options.storage), options.study)), encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
