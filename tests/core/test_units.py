"""Quantities as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.core import UserError, parse_bytes, parse_count, parse_duration, parse_latency

PARSERS = [parse_duration, parse_latency, parse_count, parse_bytes]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration, "90s", 90),
        (parse_duration, "3m", 180),
        (parse_duration, "1h30m", 5400),
        (parse_duration, " 1 H 30 m ", 5400),
        (parse_duration, "2d", 172_800),
        (parse_duration, "0.5h", 1800),
        (parse_duration, "1500ms", 1.5),
        (parse_duration, 12.5, 12.5),
        (parse_latency, "4ms", 4),
        (parse_latency, "800us", 0.8),
        (parse_latency, "800 µs", 0.8),
        (parse_latency, "0.1s", 100),
        (parse_latency, 4, 4),
        (parse_latency, "1e-05", 1e-05),
        (parse_count, "100k", 100_000),
        (parse_count, "1.5M", 1_500_000),
        (parse_count, 20_000, 20_000),
        (parse_bytes, "512KB", 512_000),
        (parse_bytes, "4MiB", 4 * 2**20),
        (parse_bytes, "2gb", 2e9),
        (parse_bytes, "100", 100),
    ],
)
def test_a_quantity_is_read_as_it_is_meant(parse, text, value):
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize("parse", [parse_latency, parse_count, parse_bytes])
def test_no_limit_stays_no_limit(parse):
    assert parse(None) is None


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", ["", "soon", "-3", "-3s", "3 parsecs", "0", "0s", "1..2s", "nan", "s3", "3s!", "３x"])
def test_what_is_no_quantity_is_a_mistake_that_shows_what_was_written(parse, text):
    with pytest.raises(UserError, match=r"write|above zero") as mistake:
        parse(text)
    assert repr(text) in str(mistake.value)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text() | st.from_regex(r"\s*[0-9.]{1,5}\s*[a-zA-Z]{0,4}([0-9]{1,3}[a-z]{0,3})?", fullmatch=True))
def test_any_text_is_either_a_positive_quantity_or_a_mistake(parse, text):
    try:
        value = parse(text)
    except UserError:
        return
    assert value > 0


@given(st.floats(1e-3, 1e9))
def test_a_number_is_the_same_quantity_as_its_text(number):
    assert parse_duration(number) == number
    assert parse_latency(str(number)) == pytest.approx(number)
    assert parse_count(number) == pytest.approx(number)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(1, 59))
def test_parts_of_a_duration_add_up(hours, minutes, seconds):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds
