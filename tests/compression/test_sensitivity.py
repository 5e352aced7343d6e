"""What layers lose alone in integers: measured on the files that would ship, calibrated once."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence

from automl_kd.compression import Judged, Material, Sensitivity, shipped
from automl_kd.compression.divergence import divergence
from automl_kd.core import Output, Signature
from automl_kd.recipes import Recipe
from automl_kd.students import build

SIGNATURE = Signature.of_images((3, 16, 16), 7)
STAGES = [{"depth": 1, "kernel": 3, "expand": 2, "channels": 8}, {"depth": 2, "kernel": 3, "expand": 2, "channels": 16}]


def recipe_of(**stage):
    compress = [{"stage": "quantise", "weights": "per-tensor", **stage}]
    student = {"family": "mobilenet", "stages": STAGES, "head": 32, "stem": {"channels": 8}}
    return Recipe.model_validate({"student": student, "train": {"epochs": 1}, "compress": compress})


@pytest.fixture(scope="module")
def student():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = build(recipe_of().student, SIGNATURE)
        for _ in range(5):
            made(torch.randn(32, 3, 16, 16))
        with torch.no_grad():
            # One filter of a depthwise convolution much larger than the others, which are lost in a common scale.
            worst = next(m for m in made.stage2[0].modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1)
            worst.weight[0] *= 300
            made.head[-1].linear.weight *= 10
            for _ in range(20):
                made(torch.randn(32, 3, 16, 16))
    return made.eval()


class Calls:
    def __init__(self):
        self.count = 0

    def __call__(self, count):
        self.count += 1
        yield torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def measured(student, tmp_path_factory):
    calls, examples = Calls(), torch.randn(200, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    metric = Accuracy()
    with torch.no_grad():
        labels = student(examples).argmax(1)

    def judge(form):
        with torch.no_grad():
            outputs = form(examples)
        return Judged(outputs, (outputs.argmax(1) == labels).double().reshape(-1, 1).numpy())

    material = Material(SIGNATURE, 64, calls)
    part = recipe_of().compress[0]
    found = Sensitivity(part, student, material, judge, metric, tmp_path_factory.mktemp("files"))
    return found, found.of_layers(), calls.count, examples, material


class Accuracy:
    def value(self, statistics, weights=None):
        return float(np.average(statistics[:, 0], weights=weights))

    def values(self, statistics, weights):
        return weights @ statistics[:, 0] / weights.sum(axis=1)


def test_every_layer_is_measured_after_one_calibration(student, measured):
    _, layers, calibrations, _, _ = measured
    assert len(layers) == len(student.plan.blocks)
    assert calibrations == 1


def test_the_layer_whose_weights_share_a_scale_badly_loses_most(student, measured):
    _, layers, *_ = measured
    nats = [each.nats for each in layers]
    assert student.plan.block_names[int(np.argmax(nats))] == "stage2.0"
    assert all(each.nats_error < each.nats for each in layers)
    assert all(each.score.low <= each.score.difference <= each.score.high for each in layers)


def test_what_is_measured_is_what_ships(student, measured):
    found, *_, examples, material = measured
    kept = recipe_of(keep_float=["first", "stage2.0"])
    form = shipped(kept.compress, student, material)
    with torch.no_grad():
        expected = divergence(SIGNATURE.output, student(examples), form(examples)).mean()
    assert found.of(form.plan.integers).nats == pytest.approx(expected, rel=1e-9)


def test_losses_of_layers_add_up_about(measured):
    found, layers, *_ = measured
    rng = np.random.default_rng(0)
    for _ in range(4):
        integers = rng.random(len(layers)) < 0.5
        alone = sum(each.nats for each, integer in zip(layers, integers, strict=True) if integer)
        assert found.of(tuple(integers.tolist())).nats == pytest.approx(alone, rel=0.5)
    assert found.of((False,) * len(layers)).nats < 1e-9


@pytest.mark.parametrize(
    ("output", "distribution"),
    [
        (Output("logits", 4), lambda z: Categorical(logits=z)),
        (Output("logits", 4, "bernoulli"), lambda z: Bernoulli(logits=z)),
        (Output("values", 4, "real", (5.0,) * 4, (0.5, 1.0, 2.0, 3.0)), None),
    ],
)
def test_the_divergence_is_that_of_what_outputs_mean(output, distribution):
    before, after = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0)).unbind()
    spread = torch.tensor(output.std or (1.0,) * 4)
    ours, theirs = ((distribution or (lambda z: Normal(z, spread)))(each) for each in (before, after))
    expected = kl_divergence(ours, theirs)
    found = divergence(output, before, after)
    assert found == pytest.approx((expected if expected.dim() == 1 else expected.sum(1)).numpy(), rel=1e-4, abs=1e-6)
    assert divergence(output, before, before) == pytest.approx(np.zeros(50), abs=1e-12)
