from __future__ import annotations

import re
from pathlib import Path

from automl_kd.distillation import LOSS_SPECS, LossSpec
from automl_kd.recipes import parse_text, validate
from automl_kd.recipes.schema import Distill, Train

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "distillation.md").read_text(encoding="utf-8")
OUTPUTS = ("categorical", "bernoulli", "real")


def outputs(spec: LossSpec) -> str:
    if not spec.inputs.reads_outputs and spec.takes is None:
        return "–"
    taken = [meaning for meaning in OUTPUTS if meaning in spec.meanings]
    return ("any" if len(taken) == len(OUTPUTS) else ", ".join(taken)) + ("; per position" if spec.per_position else "")


def row(name: str, spec: LossSpec) -> str:
    trains = "yes" if spec.parameters else "–"
    cells = (f"`{name}`", spec.inputs.name, outputs(spec), trains, spec.scale, spec.paper, spec.reference)
    return f"| {' | '.join(cells)} |"


def test_the_table_of_losses_is_that_of_their_specs():
    section = TEXT.partition("## Losses\n")[2].partition("\n## ")[0]
    stated = re.findall(r"^\| `\w+` \|.*$", section, re.MULTILINE)
    assert stated == [row(name, spec) for name, spec in LOSS_SPECS.items()]


def test_the_examples_are_parts_of_recipes():
    distill, train = (parse_text(each, "docs") for each in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
    validate(Distill, distill["distill"], "docs/distillation.md")
    validate(Train, train["train"] | {"epochs": 1}, "docs/distillation.md")
