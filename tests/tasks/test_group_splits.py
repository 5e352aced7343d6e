"""Groups stay whole in drawn splits, which come near to their sizes and to equal shares of every class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.core import UserError
from automl_kd.tasks.group_splits import stratify_groups

_SIZES = {"validation": 0.2, "test": 0.2, "train": None}


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=40, max_size=80),
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 3),
    train=st.sampled_from([None, 0.4]),
)
def test_no_group_is_torn_and_shares_are_kept(sizes, seed, classes, train):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    strata = np.random.RandomState(seed).randint(0, classes, len(groups))
    asked = _SIZES | {"train": train}
    drawn = stratify_groups(strata, groups, asked, seed, ())
    assert list(drawn) == list(asked)
    of_split = {name: set(groups[rows]) for name, rows in drawn.items()}
    for name, rows in drawn.items():
        assert np.array_equal(rows, np.unique(rows))
        assert set(np.flatnonzero(np.isin(groups, list(of_split[name])))) == set(rows), "whole groups"
        wanted = asked[name] or 0.6
        assert abs(len(rows) - wanted * len(groups)) <= 2 * max(sizes)
    assert not of_split["train"] & of_split["test"]
    assert not of_split["train"] & of_split["validation"]
    assert not of_split["validation"] & of_split["test"]
    again = stratify_groups(strata, groups, asked, seed, ())
    assert all(np.array_equal(drawn[name], again[name]) for name in drawn)


def test_groups_of_one_example_are_stratified_like_examples():
    strata = np.arange(300) % 3
    drawn = stratify_groups(strata, np.arange(300), _SIZES, 0, ("a", "b", "c"))
    assert {name: np.bincount(strata[rows]).tolist() for name, rows in drawn.items()} == {
        "validation": [20, 20, 20],
        "test": [20, 20, 20],
        "train": [60, 60, 60],
    }
    other = stratify_groups(strata, np.arange(300), _SIZES, 1, ("a", "b", "c"))
    assert not np.array_equal(other["test"], drawn["test"])


def test_too_few_groups():
    strata = np.repeat([0, 1], 20)
    groups = np.r_[np.arange(20), np.repeat([20, 21], 10)]
    with pytest.raises(UserError, match="class 'b' has too few groups for one in the"):
        stratify_groups(strata, groups, _SIZES, 0, ("a", "b"))
    with pytest.raises(UserError, match=r"splits\.\w+: the 1 groups are too few or too large .* a column data.split"):
        stratify_groups(strata * 0, strata * 0, _SIZES, 0, ("a",))
