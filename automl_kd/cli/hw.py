"""``automl-kd hw``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from automl_kd.cli import hw_device
from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.cli.hw_words import extrapolation, latency_error_lines, parts_table, stand_ins, targets_table
from automl_kd.cli.progress import watching
from automl_kd.cli.shape import Inputs, InputShape, shape, shapes
from automl_kd.core import DEFAULT_STORAGE, milliseconds, percent, three_digits

Model = Annotated[str, typer.Argument(help="An ONNX file.")]


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="hw", help="What it costs, on which device.", no_args_is_help=True)
    group.command("list")(list_devices)
    group.command("show")(show)
    group.command("predict")(predict)
    group.command("measure")(measure)
    hw_device.register(group)
    return group


def list_devices(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The devices with a profile, the ways to run networks on them, and how far off predictions are."""
    with quiet(json):
        from automl_kd.workflows.devices import list_devices as find

        found = find()
    answer(found, "\n".join((_devices_text(found["devices"]), *found["unreadable"])), json)


def _devices_text(devices: list[dict[str, Any]]) -> str:
    return (
        f"{targets_table(devices)}\n\n"
        "median error: of measured networks, each predicted by a fit without it\n"
        "90 % interval: of networks like those; it is wider for others\n"
        "good for: kinds of kernel that they hold, of those with multiplications\n"
        "a target goes by device:target, such as --hw jetson-nano:ncnn"
    )


def show(
    name: Annotated[str, typer.Argument(help="A device by name or path; device:target for one of its targets.")],
    plot: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Write a page of predicted against measured latencies.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """A profile: facts with their sources, limits of memory, and the networks it was fitted on."""
    with quiet(json):
        from automl_kd.hardware import cross_validation, load_profile

        profile = load_profile(name)
        rows = cross_validation(profile)
        page = None
        if plot is not None:
            from automl_kd.workflows.hardware import plot_hardware

            page = plot_hardware(name, plot)["path"]
    loads = profile.target.loads
    document = {
        "name": profile.name,
        "key": profile.key,
        **profile.latency_error().document(),
        "target": profile.target.model_dump(mode="json", exclude_none=True),
        "memory": profile.file.memory.model_dump(mode="json", exclude_none=True),
        "anchors": [asdict(row) | {"error": row.error} for row in rows],
        "loads": None if loads is None else loads.model_dump(mode="json") | {"commands": list(loads.steps)},
        "targets": list(profile.file.targets),
        "plot": page,
    }
    answer(document, _profile_text(document), json)


def _profile_text(document: dict[str, Any]) -> str:
    parts = [f"{document['name']}: {document['key']}", *latency_error_lines(document["latency_error"])]
    parts.append(f"targets: {', '.join(document['targets'])}")
    if "integers" in document["target"]:
        parts.append(_integers_text(document["target"]["integers"], document["loads"]))
    parts += _loaded(document["loads"])
    for title, facts in (("facts", document["target"]["facts"]), ("memory", document["memory"])):
        rows = [[key, _values(fact), fact["source"]] for key, fact in facts.items()]
        if rows:
            parts += ["", table(rows, [title, "value", "source"])]
    if document["anchors"]:
        measured = [
            [
                row["model"],
                f"{row['gflops']:.3g}",
                three_digits(row["measured_ms"]),
                three_digits(row["predicted_ms"]),
                f"{three_digits(row['low'])}–{three_digits(row['high'])}",
                f"{100 * row['error']:+.0f} %",
            ]
            for row in document["anchors"]
        ]
        header = ["measured network", "GFLOP", "measured ms", "left out ms", "90 % interval", "error"]
        parts += ["", table(measured, header)]
    if document["plot"]:
        parts += ["", f"plot: {document['plot']}"]
    return "\n".join(parts)


def _integers_text(integers: dict[str, Any], file: dict[str, Any] | None) -> str:
    """``quantised weights: per-channel; zero points: 0 alone; kept in floats: priced by ncnn``."""
    zeros = "; zero points: 0 alone" if file is not None and file["symmetric"] else ""
    floats = f"priced by {integers['floats']}" if "floats" in integers else "nothing"
    return f"quantised weights: {', '.join(integers['weights'])}{zeros}; kept in floats: {floats}"


def _loaded(file: dict[str, Any] | None) -> list[str]:
    if file is None:
        return []
    made = f", made of a delivery ({file['source']}):" if file["commands"] else f" of a delivery ({file['source']})"
    lines = [f"loads {file['name']}{made}", *(f"  {command}" for command in file["commands"])]
    lines += [f"    {line}" for line in stand_ins(file["commands"])]
    return [*lines, *([f"    {file['note']}"] if file["note"] else [])]


def _values(fact: dict[str, Any]) -> str:
    """``16`` of a single figure; ``lanes 16, cache_mb 1`` of several under one source."""
    named = {key: value for key, value in fact.items() if key != "source"}
    return ", ".join(f"{value:g}" if key == "value" else f"{key} {value:g}" for key, value in named.items())


def predict(
    model: Model,
    hw: Annotated[str, typer.Option(help="A device by name or path.")],
    input_shape: InputShape = None,
    inputs: Inputs = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say which kinds of kernel take the time, and what is known of them.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Predict a model's latency on a device."""
    with quiet(json):
        from automl_kd.workflows.devices import predict_latency

        asked, named = shape(input_shape), shapes(inputs)
        with watching(json) as observer:
            document = predict_latency(model, hw, input_shape=asked, inputs=named, observer=observer)
    parts, ranks_only = document.pop("parts"), document.pop("ranks_only")
    unsure = None if ranks_only else extrapolation(document["extrapolated"], document["hw"], "the time")
    if unsure is not None:
        document["notes"].append(unsure if explain else f"{unsure}; --explain shows them")
    if explain:
        document["parts"] = parts
    low, high = three_digits(document["low"]), three_digits(document["high"])
    text = (
        f"{milliseconds(document['ms'])} predicted on {document['hw']} (90 % interval {low}–{high}),"
        f" coverage {100 * document['coverage']:.0f} %, {document['memory_bytes'] / 1e6:.3g} MB"
    )
    shown = ["", parts_table(parts, document["ms"])] if explain else []
    answer(document, "\n".join((text, *document["notes"], *shown)), json)


def measure(
    model: Model,
    input_shape: InputShape = None,
    inputs: Inputs = None,
    threads: Annotated[int, typer.Option(help="Threads of onnxruntime.")] = 1,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Measure a model's latency on this machine under onnxruntime."""
    with quiet(json):
        from automl_kd.hardware import measure_latency
        from automl_kd.results import sharing

        asked, named = shape(input_shape), shapes(inputs)
        with watching(json) as observer:
            progress = sharing(observer, "measure")
            measured = measure_latency(model, threads, input_shape=asked, inputs=named, progress=progress)
    text = (
        f"{milliseconds(measured.ms)} ± {percent(measured.repeat_error)} measured, undisturbed; this machine's speed"
        f" ranged over {100 * measured.drift:.0f} %; as timed least {measured.minimum:.3g}, p10 {measured.p10:.3g},"
        f" median {measured.median:.3g}, p90 {measured.p90:.3g} in {measured.runs} runs"
    )
    answer(asdict(measured), text, json)
