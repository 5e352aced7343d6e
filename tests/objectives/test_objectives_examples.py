"""The examples in the docstrings of the room run and show what they say."""

import doctest
import importlib
import pkgutil

import pytest

import automl_kd.objectives as room


@pytest.mark.parametrize("name", sorted(each.name for each in pkgutil.iter_modules(room.__path__)))
def test_examples_show_what_happens(name):
    found = doctest.testmod(importlib.import_module(f"{room.__name__}.{name}"), optionflags=doctest.ELLIPSIS)
    assert not found.failed
