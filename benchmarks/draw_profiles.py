"""Draw predicted against measured latencies of some profiles for the documentation, as ``hw show --plot`` draws them.

    python benchmarks/draw_profiles.py [--out docs/figures] [jetson-nano raspberry-pi-4 raspberry-pi-5]

Writing SVG takes kaleido (``pip install kaleido``) and a Chrome or Chromium, which the project itself does not need.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from automl_kd.delivery import prediction_figure
from automl_kd.hardware import cross_validation, load_profile

_RANDOM = re.compile(r"(defs-|clip|legend|trace)([0-9a-f]{6})")


def draw(name: str, folder: Path) -> Path:
    """Write the figure of one profile; on white, as an image cannot follow the page around it."""
    figure = prediction_figure(cross_validation(load_profile(name)))
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", title={"text": name, "x": 0.02})
    svg = figure.to_image(format="svg", width=640, height=480).decode()
    path = folder / f"{name.replace(':', '-')}.svg"
    # Plotly names clip paths and traces at random; without that, equal figures are equal files.
    names: dict[str, str] = {}
    svg = _RANDOM.sub(lambda match: match[1] + names.setdefault(match[2], f"{len(names):06}"), svg)
    path.write_text(svg + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "figures", help="folder")
    default = ["jetson-nano", "raspberry-pi-4", "raspberry-pi-5"]
    parser.add_argument("profiles", nargs="*", default=default, help="devices, or device:target")
    options = parser.parse_args()
    try:
        import kaleido  # noqa: F401
    except ImportError:
        sys.exit("drawing takes kaleido: pip install kaleido")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.profiles:
        print(draw(name, options.out))


if __name__ == "__main__":
    main()
