"""The program of a delivery that answers for new examples, where nothing of this package is installed."""

from __future__ import annotations

from automl_kd.delivery.html_page import render
from automl_kd.tasks import Task

_BREAKS = str.maketrans({"\n": " ", "\r": " "})


def run_script(task: Task, quantised: bool) -> str:
    """The program as Python.

    Args:
        task: As the student takes its examples.
        quantised: Whether ``student.onnx`` computes with integers.
    """
    takes, gives, answer = task.signature.input, task.signature.output, task.problem.answer
    return render(
        "run.py.jinja",
        prepare=task.modality.code(takes.name, "HERE"),
        reading=task.modality.reading(),
        needs=needs(task),
        errors=", Image.DecompressionBombError" if _opens_pictures(task) else "",
        inputs=f"{task.modality.noun}s, files or folders of them, or - for standard input",
        usage=f"{task.modality.noun.upper()} [{task.modality.noun.upper()} …]",
        output=gives.name,
        code=answer.code.replace("{output}", gives.name),
        told=answer.told,
        quantised=quantised,
    )


def needs(task: Task) -> str:
    """The packages that the program imports, for people."""
    return "onnxruntime, NumPy and Pillow" if _opens_pictures(task) else "onnxruntime and NumPy"


def _opens_pictures(task: Task) -> bool:
    return "PIL" in task.modality.code(task.signature.input.name) + task.modality.reading()


def labels_text(names: tuple[str, ...]) -> str:
    """The names of outputs, one a line, in their order; a line break inside a name becomes a space."""
    return "".join(f"{name.translate(_BREAKS)}\n" for name in names)
