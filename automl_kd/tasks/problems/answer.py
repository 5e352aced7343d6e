"""How a network's output is read: in words and as code, for who uses a student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from automl_kd.core import Meaning


@dataclass(frozen=True)
class Answer:
    """How the output of a network is read.

    Attributes:
        words: What its numbers are, after the name of the output.
        names: What the names of the output are called: ``classes``, ``labels``, ``values``.
        code: Python lines that make ``answers`` (and ``probabilities``, where there are any) of the output, an array
            (batch, width) under its own name; ``np`` is NumPy.
        limits: What not to take it for, a sentence each; ``{noun}`` stands for what an example is called.
        told: Python lines that make of these, for a batch of one, ``document``, plain data, and ``line``, the same for
            people. ``NAMES`` are the names of the output; ``options`` has ``top``, how many of the likeliest are asked
            for (None where nobody asks), and ``threshold``, the probability of a label that is there.
    """

    words: str
    names: str
    code: str
    limits: tuple[str, ...]
    told: str = 'document = {"answer": np.asarray(answers)[0].tolist()}\nline = str(document["answer"])\n'


_CLASS = """\
order = np.argsort(-probabilities[0], kind="stable")[: options.top or 1]
likely = [{"answer": NAMES[place], "probability": float(probabilities[0, place])} for place in order]
document = {**likely[0], **({"top": likely} if options.top else {})}
line = ", ".join(f"{each['answer']} ({100 * each['probability']:.1f} %)" for each in likely)
"""
_LABELS = """\
order = np.argsort(-probabilities[0], kind="stable")
there = [place for place in order if probabilities[0, place] > options.threshold]
shown = order[: options.top] if options.top else there
document = {"labels": {NAMES[place]: float(probabilities[0, place]) for place in shown}}
line = ", ".join(f"{name} ({100 * chance:.1f} %)" for name, chance in document["labels"].items()) or "no label"
"""
_VALUES = """\
document = {"values": dict(zip(NAMES, map(float, answers[0])))}
line = ", ".join(f"{name} {value:.5g}" for name, value in document["values"].items())
"""

ANSWERS: Mapping[Meaning, Answer] = MappingProxyType(
    {
        "categorical": Answer(
            words="the largest is the answer, and softmax makes probabilities of them",
            names="classes",
            code=(
                "odds = np.exp({output} - {output}.max(axis=1, keepdims=True))\n"
                "probabilities = odds / odds.sum(axis=1, keepdims=True)\n"
                "answers = {output}.argmax(axis=1)\n"
            ),
            limits=(
                "It knows the classes above and nothing else, and names one of them for any {noun} whatever.",
                "Its probabilities are not calibrated.",
            ),
            told=_CLASS,
        ),
        "bernoulli": Answer(
            words="one for each label, which is there where it is above 0; the sigmoid makes a probability of it",
            names="labels",
            code="probabilities = 1 / (1 + np.exp(-{output}))\nanswers = {output} > 0\n",
            limits=(
                "It knows the labels above and nothing else.",
                "Its probabilities are not calibrated.",
            ),
            told=_LABELS,
        ),
        "real": Answer(
            words="in the unit of the training labels",
            names="values",
            code="answers = {output}\n",
            limits=(
                "It gives values for any {noun} whatever, also for one that is unlike all that it was trained on.",
                "It does not say how sure it is of a value.",
            ),
            told=_VALUES,
        ),
    }
)
"""By the meaning of an output."""
