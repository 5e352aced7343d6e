"""One student as a folder of files that stands on its own."""

from __future__ import annotations

import copy
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from automl_kd.compression import FileForm, form_of, write
from automl_kd.core import extension_versions, sha256_of
from automl_kd.delivery.card import model_card
from automl_kd.delivery.facts import Datasheet, Facts
from automl_kd.delivery.folder import FLOAT, LABELS, MANIFEST, ONNX, RECIPE, RUN, WEIGHTS, replacing
from automl_kd.delivery.measure import measure
from automl_kd.delivery.on_device import on_device
from automl_kd.delivery.run_script import labels_text, run_script
from automl_kd.delivery.shipped_file import shipped_file
from automl_kd.delivery.student_page import student_report
from automl_kd.delivery.text import ACCURACY
from automl_kd.distillation import material_of
from automl_kd.hardware import Profile
from automl_kd.onnxio import export
from automl_kd.recipes import Recipe, save_recipe
from automl_kd.results import ARMS, Gain, ShippedFile
from automl_kd.students import StudentModule, save_weights
from automl_kd.tasks import Task


@dataclass(frozen=True)
class Delivered:
    """A delivery as it lies on disk.

    Attributes:
        path: Its folder.
        files: SHA-256 of each file by name, the manifest included.
        test_score: Of this very student as it ships on the test split, in torch and float32, or by its file where it
            is quantised: the first metric of the task.
        test_score_deployed: Of its ONNX file on the test split, in the precision of the device.
        test_metrics: All metrics of the task of this very student, by name.
        deployed_metrics: The same of its ONNX file.
        float_metrics: The same of the student without the stages of ``compress``; empty where there are none.
        gain_over_float: What ships minus that student, by the first metric; None where there are no stages.
        form: What ships, in a word or two: ``int8``, ``int8 (mixed)``, ``float32``.
        shipped: Its file on the device.
        onnx_max_difference: Largest absolute difference between an output of torch and of the ONNX file, test split; of
            a quantised file that to the student before.
        opset: Of the ONNX file.
        latency_ms: Predicted for one example on the device.
        latency_low: Lower end of the prediction's interval, in ms.
        latency_high: Upper end, in ms.
        coverage: Share of the network's kernels that the profile knows, in [0, 1].
    """

    path: Path
    files: dict[str, str]
    test_score: float
    test_score_deployed: float
    test_metrics: dict[str, float]
    deployed_metrics: dict[str, float]
    float_metrics: dict[str, float]
    gain_over_float: Gain | None
    form: str
    shipped: ShippedFile
    onnx_max_difference: float
    opset: int
    latency_ms: float
    latency_low: float
    latency_high: float
    coverage: float

    @property
    def test_accuracy(self) -> float | None:
        """Accuracy of this very student, in [0, 1]; None where the task has none."""
        return self.test_metrics.get(ACCURACY)

    @property
    def test_accuracy_deployed(self) -> float | None:
        """Accuracy of its ONNX file; None where the task has none."""
        return self.deployed_metrics.get(ACCURACY)


def deliver(
    folder: Path,
    student: StudentModule,
    recipe: Recipe,
    task: Task,
    profile: Profile,
    facts: Facts,
    report_html: str | None = None,
) -> Delivered:
    """Write what the user leaves with.

    The folder then holds ``student.onnx`` (one file, dynamic batch, computing in float32, at the profile's opset),
    ``student.safetensors``, ``recipe.yaml``, ``run.py``, which answers for new examples without this package,
    ``labels.txt`` with the names of the outputs, ``model_card.md``, ``report.html`` and ``manifest.json`` with the hash
    of each. Where the recipe has stages of ``compress``, ``student.onnx`` is what they make of the student, and
    ``student.float.onnx`` lies beside it for reference, without them; ``student.safetensors`` holds the weights as
    trained in any case. Where the device takes a TensorFlow Lite file and LiteRT is installed, ``student.tflite`` holds
    the same integers. What a modality needs to prepare inputs, such as a vocabulary, is a file of its own. Nothing in
    the files tells the time: equal arguments on one machine give equal bytes.

    Args:
        folder: Where to; appears whole or not at all. An earlier delivery there is replaced.
        student: Trained, on any device; it is not touched.
        recipe: What it was made by.
        task: What it was made for. The test split is read.
        profile: The device that it was made for.
        facts: What the files shall say beside what is measured here.
        report_html: A report to deliver in place of the student's own, such as that of a whole study.

    Raises:
        UserError: If the folder holds other files or cannot be written, or the student cannot be exported at the
            profile's opset, does not agree with its ONNX file to 1e-4, or has weights too large for the profile's
            precision or a stage of ``compress``.
    """
    trained, task = copy.deepcopy(student).cpu().eval(), task.at(recipe.student)
    with replacing(folder) as new, TemporaryDirectory() as scratch:
        onnx, material = new / ONNX, material_of(task, recipe.seed)
        write(recipe.compress, trained, material, onnx, profile.opset)
        form = form_of(recipe.compress, trained, onnx, recipe.threads)
        exported = onnx
        if recipe.compress:
            export(trained, new / FLOAT, task.signature, profile.opset)
            if not isinstance(form, FileForm):
                exported = export(form, Path(scratch) / onnx.name, task.signature, profile.opset)
        prediction = profile.predict(form.plan)
        beside = (new / FLOAT, trained.plan) if recipe.compress else None
        loads = profile.target.loads
        made = None if loads is None else on_device(loads, onnx, FLOAT if recipe.compress else ONNX, task)
        shipped = shipped_file(onnx, recipe, prediction, form.plan, profile, task.signature.input, beside)
        decided = None if facts.mixed_precision is None else facts.mixed_precision.words
        missing = None if made is None else made.missing or None
        datasheet = Datasheet(
            recipe=recipe,
            task=task,
            profile=profile,
            prediction=prediction,
            shipped=shipped.model_copy(update={"decided": decided, "not_converted": missing}),
            measured=measure(form, trained, onnx, exported, task, profile.target.precision, recipe.threads),
            facts=facts,
            on_device=made,
        )
        save_weights(trained, new / WEIGHTS)
        save_recipe(recipe, new / RECIPE)
        for name, text in task.modality.files().items():
            _write(new / name, text)
        _write(new / LABELS, labels_text(task.problem.names))
        _write(new / RUN, run_script(task, datasheet.quantised))
        _write(new / "model_card.md", model_card(datasheet))
        _write(new / "report.html", student_report(datasheet) if report_html is None else report_html)
        files = {path.name: sha256_of(path) for path in sorted(new.iterdir())}
        _write(new / MANIFEST, json.dumps(_manifest(datasheet, files), indent=2, ensure_ascii=False) + "\n")
        files[MANIFEST] = sha256_of(new / MANIFEST)
    return Delivered(
        path=folder,
        files=files,
        test_score=datasheet.measured.test_metrics[datasheet.objective.name],
        test_score_deployed=datasheet.measured.deployed_metrics[datasheet.objective.name],
        test_metrics=_defined(datasheet.measured.test_metrics),
        deployed_metrics=_defined(datasheet.measured.deployed_metrics),
        float_metrics=_defined(datasheet.measured.float_metrics),
        gain_over_float=datasheet.measured.gain_over_float,
        form=datasheet.form,
        shipped=datasheet.shipped,
        onnx_max_difference=datasheet.measured.onnx_max_difference,
        opset=datasheet.measured.opset,
        latency_ms=datasheet.prediction.ms,
        latency_low=datasheet.prediction.low,
        latency_high=datasheet.prediction.high,
        coverage=datasheet.prediction.coverage,
    )


def _manifest(sheet: Datasheet, files: dict[str, str]) -> dict[str, object]:
    facts, prediction, measured, objective = sheet.facts, sheet.prediction, sheet.measured, sheet.objective
    blocks = {"score": _reached(sheet, objective.name)}
    if ACCURACY in measured.test_metrics:
        blocks["accuracy"] = _reached(sheet, ACCURACY)
    compress = [each.model_dump(mode="json", exclude_none=True) for each in sheet.recipe.compress]
    return {
        "files": files,
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("automl-kd", "torch", "onnx", "onnxruntime", "numpy")}
        | ({"extensions": extensions} if (extensions := extension_versions()) else {}),
        "task": {"name": sheet.task.name, "sha256": sheet.task.sha256},
        "teacher": {"sha256": sheet.recipe.teacher.sha256 if sheet.recipe.teacher else None},
        "recipe": {"digest": sheet.recipe.digest()},
        "student": {
            "origin": facts.origin,
            "study": facts.study,
            "trial": facts.trial,
            "params": prediction.params,
            "flops": prediction.flops,
            "memory_bytes": prediction.memory_bytes,
            **({"compress": compress, "size_bytes": prediction.size_bytes} if compress else {}),
            **({"compression": sheet.compression, **sheet.shipped.model_dump(mode="json")} if compress else {}),
            **({} if facts.mixed_precision is None else {"mixed_precision": facts.mixed_precision.document()}),
        },
        "device": {
            "name": sheet.profile.name,
            "key": sheet.profile.key,
            "precision": sheet.profile.target.precision,
            "file": None if sheet.on_device is None else sheet.on_device.document(),
        },
        "onnx": {"opset": measured.opset, "bytes": measured.size, "max_difference": measured.onnx_max_difference},
        "latency": {
            "kind": "predicted",
            "ms": _finite(prediction.ms),
            "low": _finite(prediction.low),
            "high": _finite(prediction.high),
            "coverage": prediction.coverage,
        },
        "metric": objective.name,
        "direction": objective.direction,
        **blocks,
        **({"gain_over_float": gain.model_dump()} if (gain := sheet.gain_over_float) else {}),
        "metrics": {
            "this_student": _defined(measured.test_metrics),
            "this_student_deployed": _defined(measured.deployed_metrics),
            **({"this_student_float": _defined(measured.float_metrics)} if compress else {}),
            **({"mean_float": _defined(facts.float_metrics)} if facts.float_metrics else {}),
            "mean": _defined(facts.test_metrics),
            "std": _defined(facts.test_metrics_std),
            "arms": {arm: _defined(result.metrics) for arm, result in facts.arms.results.items()},
            "teacher": _defined(facts.teacher_metrics),
        },
        **sheet.task.manifest(),
    }


def _reached(sheet: Datasheet, name: str) -> dict[str, object]:
    """One metric on the test split: of this student, over its seeds, of its arms and of the teacher."""
    facts, measured = sheet.facts, sheet.measured
    arms = facts.arms.results
    return {
        "split": "test",
        "this_student": _finite(measured.test_metrics[name]),
        "this_student_deployed": _finite(measured.deployed_metrics[name]),
        "mean": _finite(facts.test_metrics.get(name)),
        "std": _finite(facts.test_metrics_std.get(name)),
        "seeds": list(facts.seeds),
        "arm": facts.arms.arm,
        **{arm: _finite(arms[arm].metrics.get(name)) if arm in arms else None for arm in ARMS},
        "teacher": _finite(facts.teacher_metrics.get(name)),
    }


def _defined(metrics: Mapping[str, float]) -> dict[str, float]:
    """Without those that the test split does not define."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None


def _finite(value: float | None) -> float | None:
    # JSON has no infinity, which is the latency of a network that does not fit the device, and no "not a number", which
    # is a metric that the test split does not define.
    return value if value is not None and math.isfinite(value) else None


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
