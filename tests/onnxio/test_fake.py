"""Rounding with gradients against the closed forms of LSQ, and against what onnxruntime rounds to."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.onnxio.fake import asymmetric, in_steps, rounded, symmetric


def closed_form(x, scale, low, high):
    """Value, and gradients by x and by the scale, by Esser et al. 2020, equations 1 to 3 and 5."""
    steps = x / scale
    inside = (steps > low) & (steps < high)
    by_scale = np.where(inside, np.round(steps) - steps, np.where(steps <= low, low, high))
    return scale * np.round(np.clip(steps, low, high)), inside.astype(float), by_scale


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-20, 20), min_size=1, max_size=30),
    scale=st.floats(0.01, 1.0),
    zero=st.integers(-128, 127),
)
def test_rounding_has_the_gradients_of_lsq(values, scale, zero):
    low, high = -128 - zero, 127 - zero
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    step = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    weights = torch.linspace(-1, 2, len(values), dtype=torch.float64)
    made = rounded(x, step, low, high)
    (made * weights).sum().backward()
    value, by_x, by_scale = closed_form(np.array(values), scale, low, high)
    np.testing.assert_allclose(made.detach(), value, atol=1e-12)
    np.testing.assert_allclose(x.grad, by_x * weights.numpy(), atol=1e-12)
    assert float(step.grad) == pytest.approx(float((by_scale * weights.numpy()).sum()), abs=1e-8)


def test_rounding_can_be_differentiated_twice():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    step = torch.tensor(0.01, dtype=torch.float64)
    (first,) = torch.autograd.grad((rounded(x**2, step, -128, 127) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    inside = (x**2 < 1.27).double()
    # d/dx of 2 q(x²) · 2x, where q passes what is inside its range.
    expected = inside * (4 * rounded(x**2, step, -128, 127) + 8 * x**2)
    torch.testing.assert_close(second, expected.detach())


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_weights_are_rounded_in_steps_of_their_largest_magnitude(axis):
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    weight.select(0, 2).zero_()
    weight.requires_grad_()
    found, steps = symmetric(weight, axis)
    assert steps.shape == ((1,) if axis is None else (weight.shape[axis],))
    shape = [1, 1, 1, 1]
    shape[axis or 0] = -1
    integers = (found / steps.view(shape)).detach()
    torch.testing.assert_close(integers, integers.round(), atol=1e-4, rtol=0)
    assert float(integers.abs().max()) == pytest.approx(127)
    assert bool(((found - weight).abs() <= steps.view(shape) / 2 + 1e-6).all())
    found.sum().backward()
    assert bool((weight.grad == 1).all())


def test_constants_with_a_zero_point_keep_zero_exact():
    values = torch.tensor([0.0, 0.3, 1.7, 5.0])
    found = asymmetric(values, -128, 127)
    assert float(found[0]) == 0
    assert float((found - values).abs().max()) <= 5 / 255 / 2 + 1e-6


def test_a_bias_comes_in_steps_of_the_sums():
    bias = torch.tensor([0.1234, -7.0, 0.0])
    found = in_steps(bias, torch.tensor(0.02), torch.tensor([0.01, 0.001, 1.0]))
    torch.testing.assert_close(found, torch.tensor([0.1234, -7.0, 0.0]), atol=1e-4, rtol=0)
    assert float(found[0]) == pytest.approx(round(0.1234 / 2e-4) * 2e-4)
