"""``automl-kd reprice``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet, table
from automl_kd.cli.front import price_cells, price_header
from automl_kd.cli.hw_words import extrapolation, latency_error_lines
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE, counted

if TYPE_CHECKING:
    from automl_kd.results import Repriced


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("reprice")(reprice)


def reprice(
    hw: Annotated[str, typer.Option(help="The other device by name or path.")],
    study: Annotated[str | None, typer.Option(help="The study; by default the only one.")] = None,
    max_latency: Annotated[
        str | None, typer.Option(help="Leave out what is predicted slower there, e.g. 4ms; a number is in ms.")
    ] = None,
    max_params: Annotated[str | None, typer.Option(help="Leave out what has more parameters, e.g. 100k.")] = None,
    max_memory: Annotated[
        str | None, typer.Option(help="Leave out what needs more memory there, e.g. 512KB; a number is in bytes.")
    ] = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="PRICE",
            help="What the front there is of beside the score: latency, memory, energy, size, latency@DEVICE; by"
            " default as the study's; repeatable.",
        ),
    ] = None,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Price what a study finished for another device; nothing is trained, and the study stays as it is."""
    with quiet(json):
        from automl_kd.workflows.reprice import reprice as price_anew

        with watching(json) as observer:
            found = price_anew(
                study,
                hw=hw,
                max_latency=max_latency,
                max_params=max_params,
                max_memory=max_memory,
                objectives=objectives or (),
                storage=storage,
                allow_code=allow_code,
                observer=observer,
            )
        text = "\n".join(_lines(found))
    answer(found.model_dump(mode="json"), text, json)


def _lines(found: Repriced) -> Iterator[str]:
    score, *prices = found.objectives
    yield f"study {found.study} of {found.hw_before} at the prices of {found.hw}: {found.key}"
    yield from latency_error_lines(found.latency_error.model_dump())
    unsure = extrapolation(found.extrapolated, found.hw, "their time")
    yield from filter(None, [*found.notes, unsure])
    if found.trials:
        rows = [
            [
                str(each.trial),
                score.shown(each.score),
                *price_cells(each.price, prices),
                f"{each.place_before} → {each.place}",
                _front(each.on_front_before, each.on_front),
            ]
            for each in found.trials
        ]
        yield ""
        yield table(rows, ["trial", score.title, *price_header(prices), "by latency", "front"])
    yield ""
    yield _changes(found)
    reasons: dict[str, list[str]] = {}
    for each in found.unfit:
        reasons.setdefault(each.reason, []).append(str(each.trial))
    for reason, trials in reasons.items():
        yield f"left out: trial{'s' if len(trials) > 1 else ''} {', '.join(trials)}: {reason}"


def _front(before: bool, now: bool) -> str:
    return {(True, True): "stays", (False, True): "enters", (True, False): "leaves"}.get((before, now), "")


def _changes(found: Repriced) -> str:
    if not found.front:
        return f"{found.hw} holds none of them within the limits"
    changes = [
        f"{word} {', '.join(map(str, trials))}"
        for word, trials in (("new there:", found.entered), ("no longer:", found.left))
        if trials
    ]
    told = "; ".join(changes) or "the same as before"
    return f"front of {counted(len(found.front), 'trial')}, {told}"
