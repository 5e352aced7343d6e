"""Quantities as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.core import formatting as words


@pytest.mark.parametrize(
    ("say", "value", "text"),
    [
        (words.percent, 0.97812, "97.8 %"),
        (words.chance, 0.0123, "0.012"),
        (words.chance, 0.0002, "below 0.001"),
        (words.milliseconds, 0.000123, "0.000123 ms"),
        (words.milliseconds, 0.74, "0.74 ms"),
        (words.milliseconds, 1.416, "1.42 ms"),
        (words.milliseconds, 999.4, "999 ms"),
        (words.milliseconds, 1234.5, "1,234 ms"),
        (words.count, 412, "412"),
        (words.count, 12_345, "12.3 k"),
        (words.count, 1_500_000, "1.5 M"),
        (words.whole, 12_345, "12,345"),
        (words.whole, math.inf, "infinitely many"),
        (words.duration, 11.34, "11 s"),
        (words.duration, 125, "2 min 05 s"),
        (words.duration, 12_000, "3 h 20 min"),
    ],
)
def test_quantities(say, value, text):
    assert say(value) == text
    assert say(None) == "–"


@given(st.floats(0, 1e7))
def test_a_duration_shown_to_people_means_what_it_says(seconds):
    shown = words.duration(seconds)
    units = {"s": 1, "min": 60, "h": 3600}
    parts = shown.split()
    meant = sum(int(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert math.isclose(meant, seconds, abs_tol=0.5 if seconds < 5400 - 1 else 60)
