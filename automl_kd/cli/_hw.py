"""``automl-kd hw``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from automl_kd.cli._answer import Json, Storage, answer, quiet, table
from automl_kd.cli._progress import watching
from automl_kd.errors import UserError
from automl_kd.paths import DEFAULT_STORAGE
from automl_kd.words import duration, milliseconds, percent, three_digits

Model = Annotated[str, typer.Argument(help="An ONNX file.")]
Space = Annotated[str, typer.Option(help="Search space by name or path, where the networks come from.")]
Task = Annotated[str, typer.Option(help="Built-in task or path of a task file; gives input and classes.")]
InputShape = Annotated[str | None, typer.Option(help="C,H,W instead of the task's.")]


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="hw", help="What it costs, on which device.", no_args_is_help=True)
    group.command("list")(list_devices)
    group.command("show")(show)
    group.command("predict")(predict)
    group.command("measure")(measure)
    group.command("kit")(kit)
    group.command("calibrate")(calibrate)
    group.command("train")(train)
    group.command("new")(new)
    return group


def list_devices(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The devices with a profile, the ways to run networks on them, and how far off predictions are."""
    with quiet(json):
        from automl_kd.hardware import Profile, load_profile, profile_names

        devices, lines = [], []
        for name in profile_names():
            file = load_profile(name).file
            names = sorted(file.targets, key=lambda target: target != file.default)
            profiles = {target: Profile(name, file, target) for target in names}
            targets = [
                {"target": target, "key": profile.key, "summary": profile.summary()}
                for target, profile in profiles.items()
            ]
            devices.append({"name": name, "summary": targets[0]["summary"], "targets": targets})
            lines += [targets[0]["summary"], *(f"  {target['summary']}" for target in targets[1:])]
    answer({"devices": devices}, "\n".join(lines), json)


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
        from automl_kd.hardware import left_out, load_profile

        profile = load_profile(name)
        rows = left_out(profile)
        page = None
        if plot is not None:
            from automl_kd.workflows import plot_hardware

            page = plot_hardware(name, plot)["path"]
    document = {
        "name": profile.name,
        "key": profile.key,
        "summary": profile.summary(),
        "target": profile.target.model_dump(mode="json", exclude_none=True),
        "memory": profile.file.memory.model_dump(mode="json", exclude_none=True),
        "anchors": [asdict(row) | {"error": row.error} for row in rows],
        "targets": list(profile.file.targets),
        "plot": page,
    }
    answer(document, _profile_text(document), json)


def _profile_text(document: dict[str, Any]) -> str:
    parts = [document["summary"], f"key: {document['key']}", f"targets: {', '.join(document['targets'])}"]
    for title, facts in (("facts", document["target"]["facts"]), ("memory", document["memory"])):
        rows = [[key, f"{fact['value']:g}", fact["source"]] for key, fact in facts.items()]
        if rows:
            parts += ["", table(rows, [title, "value", "source"])]
    if document["anchors"]:
        anchors = [
            [
                row["model"],
                f"{row['gflops']:.3g}",
                three_digits(row["measured_ms"]),
                three_digits(row["predicted_ms"]),
                f"{row['low']:.3g}–{row['high']:.3g}",
                f"{100 * row['error']:+.0f} %",
            ]
            for row in document["anchors"]
        ]
        header = ["measured network", "GFLOP", "measured ms", "left out ms", "90 % interval", "error"]
        parts += ["", table(anchors, header)]
    if document["plot"]:
        parts += ["", f"plot: {document['plot']}"]
    return "\n".join(parts)


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
        from automl_kd.hardware import measure as run

        measured = run(model, threads=threads)
    text = (
        f"{milliseconds(measured.p10)} measured (p10; least {measured.minimum:.3g}, median {measured.median:.3g},"
        f" p90 {measured.p90:.3g}) in {measured.runs} runs, sentinels moved {100 * measured.drift:.0f} %"
    )
    answer(asdict(measured), text, json)


def kit(
    hw: Annotated[str, typer.Option(help="The profile to improve, by name or path.")],
    space: Space = "tiny_cnn",
    count: Annotated[int, typer.Option("-n", "--count", help="Models to measure, besides two sentinels.")] = 20,
    out: Annotated[str, typer.Option(help="Folder to write; new or empty.")] = "kit",
    task: Task = "digits",
    input_shape: InputShape = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Write a folder to copy to a device: informative models, and a script that times them there."""
    with quiet(json):
        from automl_kd.workflows import hardware_kit

        with watching(json) as observer:
            document = hardware_kit(
                hw, space=space, count=count, out=out, task=task, input_shape=_images(input_shape), observer=observer
            )
    models = [model for model in document["models"] if not model["sentinel"]]
    rows = [[m["name"], f"{m['flops'] / 1e9:.3g}", three_digits(m["predicted_ms"])] for m in models]
    text = [
        f"{len(models)} models of {space} and 2 sentinels in {document['path']}, {document['bytes'] / 1e6:.3g} MB,"
        f" for {document['key']}",
        table(rows, ["model", "GFLOP", "predicted ms"]),
        f"next: copy {document['path']} to the device and run python3 measure.py there; see README.txt in it",
    ]
    answer(document, "\n".join(text), json)


def calibrate(
    results: Annotated[str, typer.Option("--from", metavar="FILE", help="What measure.py wrote.")],
    name: Annotated[str, typer.Option(help="Of the new profile.")],
    kit: Annotated[str | None, typer.Option(help="Folder of the kit; by default the one of the results.")] = None,
    hw: Annotated[str | None, typer.Option(help="Profile to begin with; by default the one of the kit.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Refit a profile on measurements of the device at hand and keep it under a name of your own."""
    with quiet(json):
        from automl_kd.workflows import calibrate_hardware

        document = calibrate_hardware(results, name, kit=kit, hw=hw)
    text = [
        document["summary"],
        f"median error on {document['pairs']} measured networks: {percent(document['error_before'])} before,"
        f" {percent(document['error_after'])} after on networks left out",
        f"times are {document['label']}; sentinels moved at most {percent(document['repeat_error'])} apart",
        f"stored in {document['path']}; use it with --hw {document['name']}",
    ]
    answer(document, "\n".join(text), json)


def train(
    budget: Annotated[str, typer.Option(help="Time in all: 90s, 20m, 2h.")],
    hw: Annotated[str, typer.Option(help="A profile that is measured on this machine.")] = "local",
    space: Space = "tiny_cnn",
    name: Annotated[str | None, typer.Option(help="Of the new profile; by default <hw>-<space>.")] = None,
    task: Task = "digits",
    input_shape: InputShape = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Train a predictor of this machine on networks of a space; the same command goes on after any end."""
    with quiet(json):
        from automl_kd.workflows import train_hardware

        with watching(json) as observer:
            document = train_hardware(
                hw,
                budget=budget,
                space=space,
                name=name,
                task=task,
                input_shape=_images(input_shape),
                observer=observer,
            )
    why = {
        "budget": "the budget is used",
        "flat": "the error stopped falling",
        "exhausted": "nothing is left to measure",
    }
    rows = [[str(s["measured"]), percent(s["error"]), duration(s["seconds"])] for s in document["steps"]]
    text = [
        document["summary"],
        table(rows, ["networks", "error left out", "after"]),
        f"ended because {why[document['ended']]}; {document['measured']} networks,"
        f" {document['reused']} of them measured before",
        f"stored in {document['path']}; use it with --hw {document['name']}",
    ]
    answer(document, "\n".join(text), json)


def new(
    name: Annotated[str, typer.Argument(help="Of the new profile.")],
    like: Annotated[str, typer.Option(help="The device whose facts to copy, by name or path.")],
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Begin a profile of your own device as a copy of another's facts."""
    with quiet(json):
        from automl_kd.workflows import new_hardware

        document = new_hardware(name, like=like)
    answer(document, f"{document['path']}: edit its facts, then automl-kd hw kit --hw {name}", json)


def _images(text: str | None) -> tuple[int, int, int] | None:
    shape = _shape(text)
    return None if shape is None else (shape[0], shape[1], shape[2])


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UserError(f"--input-shape {text}: write C,H,W, for example 3,224,224")
    return tuple(int(part) for part in parts)
