"""``automl-kd export``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet
from automl_kd.core import DEFAULT_STORAGE, milliseconds

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import ShippedFile

_PICK = (
    "knee, best, fastest or another role; a trial's number; or a rule such as 'score >= 0.95 and latency_ms <= 3': of"
    " the finished trials for which it holds, picks distilled in full go first, then the best score on"
    " search-validation, then the lowest latency."
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export")(export)


def export(
    study: Annotated[str | None, typer.Option(help="The study; by default the only one.")] = None,
    pick: Annotated[str, typer.Option(help=_PICK)] = "knee",
    out: Annotated[str, typer.Option(help="Folder to write.")] = "winner",
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Deliver a student with the recipe that makes it again; at any time, also while the search runs."""
    with quiet(json):
        from automl_kd.workflows.export import export as deliver

        document = deliver(study, pick=pick, out=out, storage=storage, allow_code=allow_code)
    head = f"trial {document['trial']} of study {document['study']} ({document['origin']})"
    if document["chosen"] is not None:
        head += f"\n{document['chosen']}"
    answer(document, f"{head}\n{delivery_text(document)}", json)


def delivery_text(document: dict[str, Any]) -> str:
    """A delivery for people."""
    from automl_kd.delivery import not_converted
    from automl_kd.objectives import Objective
    from automl_kd.results import ShippedFile

    shipped = ShippedFile.model_validate(document["shipped"])
    before = "the float student" if shipped.scored else "torch"
    off = f"differs from {before} by at most {document['onnx_max_difference']:.1e}"
    score, *others = [Objective(**each) for each in document["metrics"]]
    deployed = score.shown(document["test_score_deployed"])
    on_device = "" if shipped.scored else f", in the device's precision {deployed}"
    more = [f"{each.title} {each.shown(document['test_metrics'][each.name])}" for each in others]
    interval = f"{document['latency_low']:.3g}–{document['latency_high']:.3g}"
    return "\n".join(
        [
            f"test {score.title} {score.shown(document['test_score'])}{on_device}",
            *([f"test {', '.join(more)}"] if more else []),
            f"latency {milliseconds(document['latency_ms'])} ({interval}, predicted)",
            *_form(document, shipped, score),
            f"ONNX opset {document['onnx_opset']}, {off}",
            f"in {document['path']}: {', '.join(document['files'])}",
            *not_converted(shipped),
        ]
    )


def _form(document: dict[str, Any], shipped: ShippedFile, score: Objective) -> list[str]:
    """What the form that ships costs and takes, where it is compressed."""
    from automl_kd.delivery import FloatScore, form_sentences
    from automl_kd.results import Gain

    if document["gain_over_float"] is None:
        return []
    beside = FloatScore(document["test_score_float"], Gain.model_validate(document["gain_over_float"]))
    return form_sentences(document["form"], beside, shipped, score)
