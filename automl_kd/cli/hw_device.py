"""``automl-kd hw`` for a device at hand: kit, calibrate, verify, train, new."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.cli.hw_words import latency_error_lines
from automl_kd.cli.progress import watching
from automl_kd.cli.shape import Inputs, of_space, shapes
from automl_kd.core import DEFAULT_STORAGE, UserError, duration, percent, three_digits

_SPACE = "Search space by name or path, where the networks come from."
_TASK = "Built-in task or path of a task file; gives what networks take and answer."

InputShape = Annotated[str | None, typer.Option(help="Sizes of one input instead of the task's: C,H,W of an image.")]
Results = Annotated[str, typer.Option("--from", metavar="FILE", help="What measure.py wrote.")]
Kit = Annotated[str | None, typer.Option(help="Folder of the kit; by default the one of the results.")]


def register(group: typer.Typer) -> None:
    """Add the verbs."""
    group.command("kit")(kit)
    group.command("calibrate")(calibrate)
    group.command("verify")(verify)
    group.command("train")(train)
    group.command("new")(new)


def kit(
    models: Annotated[
        list[str] | None, typer.Argument(help="ONNX files of your own, to be measured besides.", show_default=False)
    ] = None,
    hw: Annotated[str | None, typer.Option(help="The profile to improve, by name or path.")] = None,
    space: Annotated[str | None, typer.Option(help=_SPACE, show_default="tiny_cnn")] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--count", help="Models to measure, besides two sentinels.", show_default="20")
    ] = None,
    task: Annotated[str | None, typer.Option(help=_TASK, show_default="digits")] = None,
    input_shape: InputShape = None,
    inputs: Inputs = None,
    study: Annotated[
        str | None, typer.Option(help="Instead of all that: the picks of this study, for the device of its search.")
    ] = None,
    out: Annotated[str, typer.Option(help="Folder to write; new or empty.")] = "kit",
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Write a folder to copy to a device: informative models or a study's picks, and a script that times them there."""
    sizes = of_space(input_shape, None if models else inputs)
    choice: dict[str, Any] = {"hw": hw, "space": space, "count": count, "task": task, "input_shape": sizes}
    choice |= {"models": models or None, "inputs": shapes(inputs) if models else None}
    given = {name: value for name, value in choice.items() if value is not None}
    if study is not None and given:
        option = "a model of your own" if models else f"--{next(iter(given)).replace('_', '-')}"
        raise UserError(f"{option} does not go with --study, which says what is measured and for which device")
    if study is None and hw is None:
        raise UserError("the kit needs a device: name one with --hw, or with --study the study whose picks to measure")
    with quiet(json):
        from automl_kd.workflows.hardware import hardware_kit
        from automl_kd.workflows.verification import picks_kit

        with watching(json) as observer:
            if study is None:
                document = hardware_kit(**given, out=out, observer=observer)
            else:
                document = picks_kit(study, out=out, storage=storage, observer=observer)
    listed = [model for model in document["models"] if not model["sentinel"]]
    own = f", {len(models)} of your own among them," if models else ""
    what = f"models of {document['space']}" if study is None else f"pick{'s' * (len(listed) != 1)} of study {study}"
    rows = [[m["name"], f"{m['flops'] / 1e9:.3g}", three_digits(m["predicted_ms"])] for m in listed]
    text = [
        f"{len(listed)} {what}{own} and 2 sentinels in {document['path']}, {document['bytes'] / 1e6:.3g} MB,"
        f" for {document['key']}",
        table(rows, ["model", "GFLOP", "predicted ms"]),
        *document["notes"],
        f"next: copy {document['path']} to the device and run python3 measure.py there; see README.txt in it",
    ]
    answer(document, "\n".join(text), json)


def calibrate(
    results: Results,
    name: Annotated[str, typer.Option(help="Of the new profile.")],
    kit: Kit = None,
    hw: Annotated[str | None, typer.Option(help="Profile to begin with; by default the one of the kit.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Refit a profile on measurements of the device at hand and keep it under a name of your own."""
    with quiet(json):
        from automl_kd.workflows.hardware import calibrate_hardware

        with watching(json) as observer:
            document = calibrate_hardware(results, name, kit=kit, hw=hw, observer=observer)
    text = [
        f"{document['name']}: {document['key']}",
        *latency_error_lines(document["latency_error"]),
        f"median error on {document['pairs']} measured networks: {percent(document['error_before'])} before,"
        f" {percent(document['error_after'])} after on networks left out",
        *_rules(document["rules"]),
        *([f"{document['kept']} networks that the profile was fitted on keep counting"] if document["kept"] else []),
        _noise(document),
        f"stored in {document['path']}; use it with --hw {document['name']}",
    ]
    answer(document, "\n".join(text), json)


_SAID: dict[str, dict[Any, str]] = {
    "zeros": {
        "fold": "branches of zeros folded away",
        "store": "products with zero stored and what reads them executed",
        "keep": "branches of zeros executed",
    },
    "dead": {"drop": "dead and duplicate operators dropped", "execute": "dead and duplicate operators executed"},
    "queued": {True: "launches hidden", False: "launches summed"},
}


def _rules(rules: dict[str, Any]) -> list[str]:
    """What was chosen and how sure that is; what the networks could not tell."""
    told = {name: rules[name] for name in _SAID if rules[name]["sure"] is not None}
    lines = []
    if told:
        chosen = ", ".join(f"{_SAID[name][it['chosen']]} ({_sure(it['sure'])})" for name, it in told.items())
        error, given = (percent(math.expm1(rules[name])) for name in ("error", "given_error"))
        same = all(it["chosen"] == it["given"] for it in told.values())
        against = "the profile's own rules" if same else f"{given} under the profile's own rules"
        lines.append(f"rules: {chosen}: chosen by the left-out error, {error}, {'' if same else 'against '}{against}")
    untold = [_SAID[name][rules[name]["chosen"]] for name in ("zeros", "dead") if name not in told]
    if untold:
        lines.append(f"as before, since the measured networks have none: {', '.join(untold)}")
    return lines


def _sure(share: float) -> str:
    return "over 99 % sure" if share > 0.99 else f"{100 * share:.0f} % sure"


def verify(
    results: Results,
    kit: Kit = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Put a study's picks as measured on its device beside their predictions, here and in the study's report."""
    with quiet(json):
        from automl_kd.workflows.verification import verify_picks

        document = verify_picks(results, kit=kit, storage=storage)
    header = ["trial", "role", "predicted ms", "90 % interval", "measured ms", "inside"]
    text = [
        f"picks of study {document['study']} on {document['hw']}",
        table([_verified_row(pick) for pick in document["picks"]], header),
        _noise(document),
        f"report: {document['report']}",
    ]
    answer(document, "\n".join(text), json)


def _verified_row(pick: dict[str, Any]) -> list[str]:
    return [
        str(pick["trial"]),
        pick["role"],
        three_digits(pick["latency_ms"]),
        f"{three_digits(pick['latency_low'])}–{three_digits(pick['latency_high'])}",
        three_digits(pick["measured_ms"]),
        "yes" if pick["measured_inside"] else "no",
    ]


def _noise(document: dict[str, Any]) -> str:
    return f"times are {document['label']}; sentinels moved at most {percent(document['repeat_error'])} apart"


def train(
    budget: Annotated[str, typer.Option(help="Time in all: 90s, 20m, 2h.")],
    hw: Annotated[str, typer.Option(help="A profile that is measured on this machine.")] = "local",
    space: Annotated[str, typer.Option(help=_SPACE)] = "tiny_cnn",
    name: Annotated[str | None, typer.Option(help="Of the new profile; by default <hw>-<space>.")] = None,
    task: Annotated[str, typer.Option(help=_TASK)] = "digits",
    input_shape: InputShape = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Train a predictor of this machine on networks of a space; the same command goes on after any end."""
    with quiet(json):
        from automl_kd.workflows.hardware import train_hardware

        with watching(json) as observer:
            document = train_hardware(
                hw,
                budget=budget,
                space=space,
                name=name,
                task=task,
                input_shape=of_space(input_shape),
                observer=observer,
            )
    why = {
        "budget": "the budget is used",
        "flat": "the error stopped falling",
        "exhausted": "nothing is left to measure",
    }
    rows = [[str(s["measured"]), percent(s["error"]), duration(s["seconds"])] for s in document["steps"]]
    text = [
        f"{document['name']}: {document['key']}",
        *latency_error_lines(document["latency_error"]),
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
        from automl_kd.workflows.hardware import new_hardware

        document = new_hardware(name, like=like)
    answer(document, f"{document['path']}: edit its facts, then automl-kd hw kit --hw {name}", json)
