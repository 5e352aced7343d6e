"""``automl-kd bench``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE, milliseconds, percent, three_digits, whole

if TYPE_CHECKING:
    from automl_kd.results import Bench, TimedFile

_HEADER = ["file", "batch", "latency", "10–90 % as timed, ms", "examples/s", "predicted"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("bench")(bench)


def bench(
    folder: Annotated[str, typer.Argument(help="What export, distill or a search has delivered.")],
    batch: Annotated[
        list[int] | None, typer.Option(help="Examples at a time; repeatable.", show_default="1, 8, 64")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of onnxruntime.")] = 1,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Time a delivery on this machine under onnxruntime, the float file beside the compressed one."""
    with quiet(json):
        from automl_kd.workflows.bench import bench as measure

        with watching(json) as observer:
            found = measure(folder, threads=threads, observer=observer, **({"batches": batch} if batch else {}))
    answer(found.model_dump(mode="json"), _text(found), json)


def _text(found: Bench) -> str:
    said = f"{found.cpu}, onnxruntime {found.onnxruntime}, {found.threads} thread{'s' * (found.threads != 1)}"
    return "\n".join(
        [
            table([_cells(each) for each in found.rows], _HEADER),
            f"on {said}; its speed ranged over {percent(found.drift)} meanwhile, which latencies leave out",
        ]
    )


def _cells(row: TimedFile) -> list[str]:
    return [
        row.file,
        str(row.batch),
        f"{milliseconds(row.ms)} ± {percent(row.repeat_error)}",
        f"{three_digits(row.p10)}–{three_digits(row.p90)}",
        whole(row.per_second),
        "–" if row.predicted_ms is None else _predicted(row),
    ]


def _predicted(row: TimedFile) -> str:
    low, high = (three_digits(each or 0.0) for each in (row.predicted_low, row.predicted_high))
    return f"{milliseconds(row.predicted_ms)} ({low}–{high})"
