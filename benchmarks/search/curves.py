"""Curves as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FIGURES = Path(__file__).resolve().parents[1] / "figures"
COLOURS = ("#c1272d", "#e08a1e", "#1f77b4", "#2ca02c", "#888888")


def save(curves: Mapping[str, Sequence[float]], name: str) -> None:
    """Draw mean regret over evaluations, logarithmic in both, as an SVG file."""
    left, top, width, height = 48, 16, 440, 240
    least, most, longest = 0.3, 30.0, max(map(len, curves.values()))

    def spot(evaluations: float, regret: float) -> str:
        x = left + width * np.log(evaluations / 10) / np.log(longest / 10)
        y = top + height * np.log(most / min(most, max(least, regret))) / np.log(most / least)
        return f"{x:.1f},{y:.1f}"

    style = 'font-family="sans-serif" font-size="11"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="620" height="300" {style}>']
    lines.append('<rect width="620" height="300" fill="white"/>')
    for regret in (0.3, 1, 3, 10, 30):
        x, y = spot(10, regret).split(",")
        lines.append(f'<path d="M{x},{y} h{width}" stroke="#ddd"/><text x="4" y="{y}">{regret:g} %</text>')
    for evaluations in (10, 25, 50, 100, 200, 400):
        x, _ = spot(evaluations, 1).split(",")
        lines.append(f'<text x="{x}" y="{top + height + 18}">{evaluations}</text>')
    lines.append(f'<text x="{left}" y="{top + height + 36}">evaluations; mean regret on {name}</text>')
    for index, ((label, curve), colour) in enumerate(zip(curves.items(), COLOURS, strict=True)):
        points = " ".join(spot(at + 1, regret) for at, regret in enumerate(curve) if at + 1 >= 10)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="{left + width + 12}" y="{top + 16 + 18 * index}" fill="{colour}">{label}</text>')
    (FIGURES / f"search-{name}.svg").write_text("\n".join([*lines, "</svg>"]) + "\n", encoding="utf-8")
