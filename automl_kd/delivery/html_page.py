"""Templates filled in: HTML escaped, one page that needs nothing from the network."""

from __future__ import annotations

import json

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from plotly.graph_objects import Figure  # type: ignore[attr-defined]
from plotly.offline.offline import get_plotlyjs

from automl_kd.core import formatting, stylesheet
from automl_kd.delivery import prices, text

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"})


def render(template: str, **context: object) -> str:
    """A template of this package as text.

    Args:
        template: File in ``templates``; those that end in ``.html`` escape every value.
        context: Its variables. One that the template needs and that is not given is an error.
    """
    environment = Environment(
        loader=PackageLoader("automl_kd.delivery", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    formats = (
        formatting.chance,
        formatting.count,
        formatting.duration,
        formatting.milliseconds,
        formatting.percent,
        formatting.size,
        formatting.whole,
        text.capital,
    )
    environment.filters.update({each.__name__: each for each in formats})
    environment.filters.update(markdown=_markdown, compact_json=lambda value: json.dumps(value, ensure_ascii=False))
    environment.globals.update(
        interval=text.interval,
        latency=text.latency,
        plotly_js=_plotly_js,
        price=prices.placed_price,
        scored=text.scored,
        signed=formatting.signed,
        stylesheet=lambda: Markup(stylesheet()),
    )
    return environment.get_template(template).render(context)


def embed(figure: Figure, name: str) -> Markup:
    """A figure as HTML that draws itself once plotly.js is loaded; ``name`` is unique in the page."""
    html = figure.to_html(  # type: ignore[no-untyped-call]
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={"displayModeBar": False, "responsive": True},
    )
    return Markup(html)


def _plotly_js() -> Markup:
    return Markup(get_plotlyjs())  # type: ignore[no-untyped-call]


def _markdown(text: str) -> str:
    return " ".join(str(text).split()).translate(_MARKDOWN)
