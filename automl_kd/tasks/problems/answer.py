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
    """

    words: str
    names: str
    code: str
    limits: tuple[str, ...]


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
        ),
        "bernoulli": Answer(
            words="one for each label, which is there where it is above 0; the sigmoid makes a probability of it",
            names="labels",
            code="probabilities = 1 / (1 + np.exp(-{output}))\nanswers = {output} > 0\n",
            limits=(
                "It knows the labels above and nothing else.",
                "Its probabilities are not calibrated.",
            ),
        ),
        "real": Answer(
            words="in the unit of the training labels",
            names="values",
            code="answers = {output}\n",
            limits=(
                "It gives values for any {noun} whatever, also for one that is unlike all that it was trained on.",
                "It does not say how sure it is of a value.",
            ),
        ),
    }
)
"""By the meaning of an output."""
