"""The budget of a search as a bar: what is used, and where phases are planned to end."""

from __future__ import annotations

from itertools import accumulate

from markupsafe import Markup, escape

from automl_kd.core import duration
from automl_kd.service.pages.search_list import service_time, share_used
from automl_kd.service.views import SearchView

_WIDTH, _HEIGHT = 1000, 14


def budget_svg(view: SearchView) -> Markup | None:
    """The bar; None as long as nothing is known of the time."""
    if view.progress is None or not view.budget:
        return None
    used = service_time(view)
    share = share_used(used, view.budget)
    ends = list(accumulate(view.progress.split.get(phase, 0.0) for phase in ("teacher", "search")))
    marks = "".join(
        f'<rect class="mark" x="{_WIDTH * end / view.budget:.1f}" width="3" height="{_HEIGHT}"/>'
        for end in ends
        if 0 < end < view.budget
    )
    told = escape(f"{duration(used)} of {duration(view.budget)} used")
    return Markup(
        f'<svg class="share budget" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{told}"><rect class="all" width="{_WIDTH}" height="{_HEIGHT}"/>'
        f'<rect class="part" width="{_WIDTH * share:.1f}" height="{_HEIGHT}"/>{marks}</svg>'
    )
