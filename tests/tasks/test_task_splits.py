import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from automl_kd.core import UserError
from automl_kd.tasks import open_task, task_names


def _rows(split):
    return {(image.numpy().tobytes(), int(label)) for image, label in zip(split.inputs, split.labels, strict=True)}


@pytest.fixture(scope="module")
def digits():
    return open_task("digits")


def test_digits_has_the_sizes_that_its_description_promises(digits):
    assert [len(digits.train), len(digits.validation), len(digits.test)] == [1000, 300, 497]
    assert (digits.signature.input.shape, digits.signature.output.width, digits.metric.name) == (
        (1, 8, 8),
        10,
        "accuracy",
    )
    assert digits.train.labels.dtype == torch.int64
    assert digits.reference.name == "digits"
    assert digits.reference.sha256 == digits.sha256
    assert "digits" in task_names()


def test_digits_are_those_of_scikit_learn(digits):
    theirs = load_digits()
    splits = (digits.train, digits.validation, digits.test)
    ours = torch.cat([torch.cat([split.inputs.flatten(1) * 16, split.labels[:, None]], 1) for split in splits])
    assert sorted(ours.tolist()) == sorted(np.column_stack([theirs.data, theirs.target]).tolist())
    assert digits.problem.names == tuple(map(str, theirs.target_names))


def test_splits_are_disjoint_and_complete(digits):
    parts = [_rows(split) for split in (digits.train, digits.validation, digits.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert sum(map(len, parts)) == 1797  # the digits hold no image twice


def test_every_class_keeps_its_share_in_every_split(digits):
    splits = (digits.train, digits.validation, digits.test)
    counts = torch.stack([split.labels.bincount(minlength=10) for split in splits]).double()
    expected = counts.sum(0) / 1797 * counts.sum(1, keepdim=True)
    assert (counts - expected).abs().max() < 2


def test_opening_twice_gives_the_same_task_whatever_the_threads(digits):
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        again = open_task("digits")
    finally:
        torch.set_num_threads(threads)
    assert again.sha256 == digits.sha256
    assert torch.equal(again.train.inputs, digits.train.inputs)


def test_normalised_training_images_have_zero_mean_and_unit_variance(digits):
    normal = digits.modality.prepare(digits.train.inputs)
    assert normal.dtype == torch.float32
    assert abs(float(normal.mean())) < 1e-5
    assert float(normal.std(correction=0)) == pytest.approx(1, abs=1e-5)


def _archive(path, **changes):
    labels = np.repeat(np.arange(3), (60, 30, 10))
    images = np.random.RandomState(0).randint(0, 255, (100, 6, 6)).astype(np.uint8)
    np.savez(path, **({"x": images, "y": labels} | changes))
    return {"x": images, "y": labels}


def _task_file(path, splits="{}", data="data.npz"):
    path.write_text(f"version: 1\nname: mine\ndata: {{kind: npz, path: {data}}}\nsplits: {splits}\n")
    return str(path)


def test_shares_and_counts_mean_what_they_say(tmp_path):
    _archive(tmp_path / "data.npz")
    for splits, sizes in {
        "{validation: 0.2, test: 0.3}": [50, 20, 30],
        "{validation: 20, test: 30}": [50, 20, 30],
        "{train: 40, validation: 20, test: 20}": [40, 20, 20],
        "{train: 40, validation: 20}": [40, 20, 40],
        "{validation: 0.2}": [60, 20, 20],
    }.items():
        task = open_task(_task_file(tmp_path / "task.yaml", splits))
        assert [len(task.train), len(task.validation), len(task.test)] == sizes, splits
        shares = task.train.labels.bincount() / len(task.train)
        assert torch.allclose(shares, torch.tensor([0.6, 0.3, 0.1]), atol=0.02), splits


def test_the_hash_changes_with_whatever_makes_results_incomparable(tmp_path):
    arrays = _archive(tmp_path / "data.npz")
    file = _task_file(tmp_path / "task.yaml")
    original = open_task(file).sha256
    assert open_task(file).sha256 == original
    assert open_task(_task_file(tmp_path / "other.yaml", "{seed: 1}")).sha256 != original
    assert open_task(_task_file(tmp_path / "other.yaml", "{validation: 0.16}")).sha256 != original

    changed = arrays["x"].copy()
    changed[17, 3, 3] ^= 1
    relabelled = arrays["y"].copy()
    relabelled[[0, 99]] = relabelled[[99, 0]]
    renamed = np.array(["ant", "bee", "cow"])[arrays["y"]]
    for change in ({"x": changed}, {"y": relabelled}, {"y": renamed}):
        _archive(tmp_path / "data.npz", **change)
        assert open_task(file).sha256 != original


def test_a_class_too_small_for_every_split_is_named(tmp_path):
    labels = np.array([0] * 50 + [1] * 48 + [2] * 2)
    _archive(tmp_path / "data.npz", y=labels)
    with pytest.raises(UserError, match=r"class '2' has 2 images, too few for one in the \w+ split"):
        open_task(_task_file(tmp_path / "task.yaml"))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("{validation: 101}", "splits.validation: 101 images asked for, 100 of 100 are left"),
        ("{train: 90, validation: 20}", "splits.train: 90 images asked for, 80 of 100 are left"),
        ("{validation: 1.5}", "splits.validation: 1.5 is neither a share below 1 nor a whole number"),
        ("{validation: many}", 'splits.validation: "many" is not allowed'),
        ("{valdation: 0.2}", "splits: unknown field 'valdation'; did you mean validation"),
    ],
)
def test_sizes_that_cannot_be(tmp_path, splits, message):
    _archive(tmp_path / "data.npz")
    with pytest.raises(UserError) as caught:
        open_task(_task_file(tmp_path / "task.yaml", splits))
    assert message in str(caught.value)
    assert "task.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
