"""Templates filled in: every value escaped, nothing inline, nothing from the network."""

from __future__ import annotations

import functools
import hashlib
import time
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from automl_kd.core import __version__, formatting, stylesheet
from automl_kd.service.callers import Caller

STATIC = "/ui/static"
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page(template: str, caller: Caller | None, status: int = 200, **context: Any) -> HTMLResponse:
    """A template of this package as an answer.

    Args:
        template: File in ``templates``.
        caller: Who asked: what that one may not do, no button offers.
        status: HTTP status.
        context: The template's variables. One that it needs and that is not given is an error.
    """
    told = {
        "caller": caller,
        "csrf": None if caller is None else caller.csrf,
        "may_run": caller is not None and caller.token.may("run"),
        **context,
    }
    return HTMLResponse(_environment().get_template(template).render(told), status)


def static_file(name: str) -> tuple[bytes, str] | None:
    """Content and media type of a file that pages load; None where there is none of that name."""
    return _static_files().get(name)


def is_static(path: str) -> bool:
    """Whether a path is that of a file that pages load; none of them holds a secret."""
    return path.startswith(f"{STATIC}/") and path.removeprefix(f"{STATIC}/") in _static_files()


@functools.cache
def _static_files() -> dict[str, tuple[bytes, str]]:
    found = {"style.css": (stylesheet().encode(), _KINDS["css"])}
    for file in files("automl_kd.service.pages").joinpath("static").iterdir():
        kind = _KINDS.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


@functools.cache
def _address(name: str) -> str:
    """Where a file is loaded from; another content has another address, so that browsers may keep it."""
    found = static_file(name)
    assert found is not None
    return f"{STATIC}/{name}?v={hashlib.sha256(found[0]).hexdigest()[:12]}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("automl_kd.service.pages", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (
        formatting.count,
        formatting.duration,
        formatting.in_unit,
        formatting.milliseconds,
        formatting.percent,
        formatting.size,
        formatting.three_digits,
        formatting.whole,
    )
    environment.filters.update({each.__name__: each for each in formats})
    environment.filters.update(moment=_moment, path=lambda text: quote(str(text), safe=""))
    environment.globals.update(static=_address, version=__version__)
    return environment


def _moment(seconds: float) -> Markup:
    """A time of the clock, in UTC, such as ``2026-01-31 12:00``."""
    there = time.gmtime(seconds)
    exact, short = time.strftime("%Y-%m-%dT%H:%M:%SZ", there), time.strftime("%Y-%m-%d %H:%M", there)
    return Markup(f'<time datetime="{exact}">{short} UTC</time>')
