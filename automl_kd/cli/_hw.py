"""``automl-kd hw``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli._answer import Json, Storage, answer, quiet
from automl_kd.cli._progress import watching
from automl_kd.errors import UserError
from automl_kd.paths import DEFAULT_STORAGE
from automl_kd.words import milliseconds

Model = Annotated[str, typer.Argument(help="An ONNX file.")]


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="hw", help="What it costs, on which device.", no_args_is_help=True)
    group.command("list")(list_devices)
    group.command("show")(show)
    group.command("predict")(predict)
    group.command("measure")(measure)
    return group


def list_devices(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The devices with a profile, and how far off its predictions are."""
    with quiet(json):
        from automl_kd.hardware import load_profile, profile_names

        summaries = {name: load_profile(name).summary() for name in profile_names()}
    document = {"devices": [{"name": name, "summary": summary} for name, summary in summaries.items()]}
    answer(document, "\n".join(summaries.values()), json)


def show(
    name: Annotated[str, typer.Argument(help="A device by name or path.")],
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """A profile: facts with their sources, coefficients, anchors and the error of the fit."""
    with quiet(json):
        from automl_kd.hardware import load_profile
        from automl_kd.recipes import to_yaml

        profile = load_profile(name)
        document = profile.file.model_dump(mode="json", exclude_none=True)
    head = f"{profile.summary()}\nkey: {profile.key}"
    answer({"name": profile.name, "key": profile.key, **document}, f"{head}\n\n{to_yaml(document).rstrip()}", json)


def predict(
    model: Model,
    hw: Annotated[str, typer.Option(help="A device by name or path.")],
    input_shape: Annotated[str | None, typer.Option(help="C,H,W where the model leaves sizes open.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Predict a model's latency on a device."""
    with quiet(json):
        from automl_kd.hardware import load_profile

        with watching(json) as observer:
            profile = load_profile(hw, progress=lambda _, text: observer.note(text))
            price = profile.predict(model, input_shape=_shape(input_shape))
    if not price.fits:
        raise UserError(
            f"{model} does not fit {profile.name}: {price.missing_bytes / 1e6:.3g} MB of memory are missing"
        )
    document = {
        "ms": price.ms,
        "low": price.low,
        "high": price.high,
        "coverage": price.coverage,
        "memory_bytes": price.memory_bytes,
        "params": price.params,
        "flops": price.flops,
        "hw": profile.name,
    }
    text = (
        f"{milliseconds(price.ms)} predicted on {profile.name} (90 % interval {price.low:.3g}–{price.high:.3g}),"
        f" coverage {100 * price.coverage:.0f} %, {price.memory_bytes / 1e6:.3g} MB"
    )
    answer(document, text, json)


def measure(
    model: Model,
    threads: Annotated[int, typer.Option(help="Threads of onnxruntime.")] = 1,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Measure a model's latency on this machine under onnxruntime."""
    with quiet(json):
        from dataclasses import asdict

        from automl_kd.hardware import measure as run

        measured = run(model, threads=threads)
    text = (
        f"{milliseconds(measured.p10)} measured (p10; least {measured.minimum:.3g}, median {measured.median:.3g},"
        f" p90 {measured.p90:.3g}) in {measured.runs} runs, sentinels moved {100 * measured.drift:.0f} %"
    )
    answer(asdict(measured), text, json)


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UserError(f"--input-shape {text}: write C,H,W, for example 3,224,224")
    return tuple(int(part) for part in parts)
