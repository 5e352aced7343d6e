from __future__ import annotations

import re
from pathlib import Path

from automl_kd.distillation import LOSS_SPECS
from automl_kd.recipes import parse_text, validate
from automl_kd.recipes.schema import Distill

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "distillation.md").read_text(encoding="utf-8")


def test_the_table_of_losses_is_that_of_their_specs():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE)
    stated = {name: tuple(cells.split(" | ")) for name, cells in rows}
    assert stated == {
        name: (each.inputs.name, "yes" if each.parameters else "–", each.scale, each.paper, each.reference)
        for name, each in LOSS_SPECS.items()
    }


def test_the_example_is_a_recipe():
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    validate(Distill, parse_text(example, "docs/distillation.md")["distill"], "docs/distillation.md")
