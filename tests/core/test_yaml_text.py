"""YAML is read by the rules of 1.2, as ruamel.yaml reads it, and several times as fast."""

import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from automl_kd.core import NotYAMLError, load_yaml
from automl_kd.recipes import to_yaml


def by_ruamel(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("name", ["search_spaces", "hardware_profiles", "automl_kd/hardware/kernels/runtimes"])
def test_files_of_the_project_are_read_alike(root, name):
    files = sorted((root / name).glob("*.yaml"), key=lambda file: file.stat().st_size)[:8]
    assert len(files) > 3
    for file in files:
        assert load_yaml(file.read_text()) == by_ruamel(file.read_text()), file


SCALARS = (
    *("1", "-2", "+3", "010", "0o17", "0x1F", "0b101", "1_000", "1.", ".5", "1e3", "1E-5", "-1.5e+3", ".inf", "-.INF"),
    *("1:30", "1e", "v1", "1.2.3", "2024-01-02", "true", "False", "TRUE", "yes", "no", "on", "off", "y", "n"),
    *("~", "null", "Null", "NULL", "nul", '"1"', "'~'", "a b"),
)


@pytest.mark.parametrize("scalar", SCALARS)
def test_scalars_mean_what_yaml_1_2_says(scalar):
    ours, theirs = load_yaml(f"- {scalar}")[0], by_ruamel(f"- {scalar}")[0]
    assert (ours, type(ours)) == (theirs, type(theirs))


def test_not_a_number_and_a_date():
    assert math.isnan(load_yaml(".nan"))
    assert load_yaml("2024-01-02") == date(2024, 1, 2)
    assert load_yaml("") is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab: -#{}[],&*!|>'\"\n01e."),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé_ ", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(_VALUES)
def test_what_is_written_is_read_again(value):
    assert load_yaml(to_yaml({"value": value})) == {"value": value}


def test_anchors_and_merges():
    assert load_yaml("a: &x {b: 1}\nc: {<<: *x, d: 2}\ne: *x") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: [1, 2\nc: 3", 3, "expected"),
        ("a: 1\nb: {c: 1,\n    c: 2}", 3, "duplicate key 'c'"),
        ("a: !!python/object:os.system {}", 1, "could not determine a constructor"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("a: \x00", None, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, line, problem):
    with pytest.raises(NotYAMLError) as raised:
        load_yaml(text)
    assert (raised.value.line, problem in raised.value.problem) == (line, True), raised.value.problem
    assert "\n" not in str(raised.value)


def test_a_file_of_the_users_own(tmp_path):
    Path(tmp_path / "a.yaml").write_text("ä: ü\n", encoding="utf-8")
    assert load_yaml((tmp_path / "a.yaml").read_text(encoding="utf-8")) == {"ä": "ü"}


_BILLION = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [*a]", "holds itself"),
        (_BILLION, "more than 1000000 values"),
        ("[" * 100_000, "levels deep"),
        ("- " * 5000 + "1", "levels deep"),
        ("\n".join(" " * depth + "a:" for depth in range(3000)), "levels deep"),
    ],
)
def test_a_document_without_end_or_bottom_is_refused(text, problem):
    with pytest.raises(NotYAMLError, match=problem):
        load_yaml(text)


def test_aliases_and_many_small_parts_are_read():
    assert load_yaml("a: &a [1, 2]\nb: [*a, *a]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
    assert len(load_yaml("[" + "{a: [1]}, " * 3000 + "]")) == 3000
