"""Problem types: losses in closed form, what several networks say together, and labels as users store them."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from task_files import patterns
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.tasks import PROBLEMS, Multiclass, Multilabel, Regression, open_task


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _opened(tmp_path, problem, **arrays):
    images, _ = patterns(len(arrays["y"]))
    np.savez(tmp_path / "a.npz", x=images, **arrays)
    (tmp_path / "t.yaml").write_text(f"name: t\nproblem: {problem}\ndata: {{kind: npz, path: a.npz}}\n")
    return open_task(str(tmp_path / "t.yaml"))


def _refused(tmp_path, problem, **arrays):
    with pytest.raises(UserError) as caught:
        _opened(tmp_path, problem, **arrays)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_smoothed_classes_have_the_loss_that_torch_gives_them():
    problem, outputs = Multiclass(("a", "b", "c")), torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -4.0]])
    for targets in (torch.tensor([2, 0]), torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])):
        expected = functional.cross_entropy(outputs, targets, label_smoothing=0.1)
        torch.testing.assert_close(problem.loss(outputs, problem.smoothed(targets, 0.1)), expected)


class TestMultilabel:
    problem = Multilabel(("a", "b", "c"))
    outputs = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -4.0]])
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])

    def test_the_loss_is_the_mean_of_binary_cross_entropies(self):
        def nats(logit, label):
            probability = 1 / (1 + math.exp(-logit))
            return -math.log(probability if label else 1 - probability)

        pairs = zip(self.outputs.tolist(), self.labels.tolist(), strict=True)
        rows = [sum(map(nats, logits, labels)) / 3 for logits, labels in pairs]
        assert self.problem.losses(self.outputs, self.labels).tolist() == pytest.approx(rows, rel=1e-6)
        assert float(self.problem.loss(self.outputs, self.labels)) == pytest.approx(sum(rows) / 2, rel=1e-6)
        assert self.problem.loss(self.outputs.bfloat16(), self.labels).dtype == torch.float32

    def test_smoothed_labels_are_nearer_to_one_half(self):
        assert self.problem.smoothed(self.labels, 0.2)[0].tolist() == pytest.approx([0.9, 0.1, 0.9])

    def test_several_networks_say_the_mean_of_their_probabilities(self):
        members = torch.tensor([[[0.3, -2.0, 200.0], [1.5, 0.0, -200.0]]])
        together = self.problem.mean_of_members(members)
        expected = torch.logit(members.double().sigmoid().mean(dim=1))
        assert torch.allclose(together[:, :2], expected[:, :2])
        assert float(together[0, 2]) == pytest.approx(0, abs=1e-12)
        sure = torch.full((1, 2, 3), 300.0)
        assert torch.allclose(self.problem.mean_of_members(sure), torch.full((1, 3), 300.0).double())

    def test_no_other_constant_answer_has_a_better_micro_f1(self):
        labels = (
            torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) < torch.tensor([0.7, 0.4, 0.1])
        ).float()
        answer = self.problem.constant_answer(labels)
        scores = {
            bits: f1_score(
                labels.numpy(), np.tile([bits >> place & 1 for place in range(3)], (200, 1)), average="micro"
            )
            for bits in range(1, 8)
        }
        chosen = sum(1 << place for place in range(3) if answer[place] > 0)
        assert scores[chosen] == max(scores.values())
        assert answer.argsort(descending=True).tolist() == [0, 1, 2]

    def test_zeros_and_ones_of_an_archive(self, tmp_path):
        labels = (np.random.RandomState(0).rand(300, 4) < [0.6, 0.4, 0.3, 0.1]).astype(np.int8)
        task = _opened(tmp_path, "multilabel", y=labels, names=np.array(["cat", "dog", "cow", "owl"]))
        assert (task.problem.name, task.problem.names) == ("multilabel", ("cat", "dog", "cow", "owl"))
        assert (task.signature.output.meaning, task.signature.output.width) == ("bernoulli", 4)
        assert task.train.labels.dtype == torch.float32
        assert sum(len(each) for each in (task.train, task.validation, task.test)) == 300
        # The rarest label has its share in every split.
        share = labels[:, 3].mean()
        for split in (task.train, task.validation, task.test):
            assert abs(float(split.labels[:, 3].sum()) - share * len(split)) <= 1.5

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (
                np.arange(60) % 3,
                "y is int64 (60,); labels of a multilabel problem should be zeros and ones",
            ),
            (np.arange(120).reshape(60, 2) % 3, "y[1]: 2 in column 0; a multilabel problem takes zeros and ones"),
            (np.ones((60, 2)), "all 39 training images have the same labels (label 0, label 1)"),
        ],
    )
    def test_labels_that_do_not_fit_are_refused(self, tmp_path, labels, message):
        assert message in _refused(tmp_path, "multilabel", y=labels)


class TestRegression:
    def test_the_loss_is_the_squared_error_in_units_of_the_labels_deviation(self):
        labels = torch.tensor([[1.0, 10.0], [3.0, 50.0], [5.0, 90.0]])
        problem = Regression(("a", "b")).fitted(labels)
        assert problem.output.mean == (3.0, 50.0)
        assert problem.output.std == pytest.approx((math.sqrt(8 / 3), math.sqrt(3200 / 3)), rel=1e-5)
        outputs = torch.tensor([[2.0, 10.0], [3.0, 90.0], [1.0, 90.0]])
        rows = [(1 / (8 / 3)) / 2, (1600 / (3200 / 3)) / 2, (16 / (8 / 3)) / 2]
        assert problem.losses(outputs, labels).tolist() == pytest.approx(rows, rel=1e-4)
        assert float(problem.loss(outputs, labels)) == pytest.approx(sum(rows) / 3, rel=1e-4)
        # Answering the mean has the loss 1, whatever the unit.
        mean = problem.constant_answer(labels).expand(3, 2)
        assert float(problem.loss(mean, labels)) == pytest.approx(1, rel=1e-4)

    def test_several_networks_say_the_mean_of_their_values(self):
        members = torch.tensor([[[1.0], [4.0]], [[2.0], [2.0]]])
        assert Regression(("a",)).mean_of_members(members).tolist() == [[2.5], [2.0]]

    @pytest.mark.parametrize("shape", [(300,), (300, 1)])
    def test_values_of_an_archive(self, tmp_path, shape):
        labels = np.random.RandomState(0).gamma(2, 3, shape)
        task = _opened(tmp_path, "regression", y=labels)
        assert task.problem.names == ("value",)
        assert [split.labels.shape[1] for split in (task.train, task.validation, task.test)] == [1, 1, 1]
        assert [metric.name for metric in task.metrics] == ["rmse", "mae", "r2"]
        # Quantiles hold their share in the small splits.
        low = np.quantile(labels, 0.2)
        for split in (task.validation, task.test):
            assert abs(float((split.labels < low).double().mean()) - 0.2) < 0.05

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (
                np.array(["a", "b", "c"] * 20),
                "y is <U1 (60,); labels of a regression should be numbers (N,)",
            ),
            (np.r_[np.zeros(59), np.nan], "y[59]: nan is not a finite number; leave the image out"),
            (np.full(60, 3.5), "value is 3.5 in all 39 training images, so nothing can be learned of it"),
        ],
    )
    def test_labels_that_do_not_fit_are_refused(self, tmp_path, labels, message):
        assert message in _refused(tmp_path, "regression", y=labels)

    def test_what_is_odd_is_said(self, tmp_path):
        few = _opened(tmp_path, "regression", y=np.arange(120) % 4)
        assert any(
            "value has 4 distinct values in 78 training images, which looks like classes" in line
            for line in few.reading.warnings
        )
        labels = np.random.RandomState(1).normal(size=120)
        labels[::10] = 1e4
        far = _opened(tmp_path, "regression", y=labels)
        assert any("far from all others" in line and "1e+04" in line for line in far.reading.warnings)


class TestMulticlass:
    def test_the_constant_answer_is_the_most_frequent_class(self):
        problem = Multiclass(("a", "b", "c"))
        answer = problem.constant_answer(torch.tensor([0, 1, 1, 2]))
        assert torch.allclose(functional.softmax(answer, dim=0), torch.tensor([0.25, 0.5, 0.25]))

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (
                np.random.RandomState(0).rand(60),
                "y is float64 (60,); labels should be (N,) of integers or text; for values say problem: regression",
            ),
            (np.ones((60, 2), int), "for any number of labels each say problem: multilabel"),
        ],
    )
    def test_labels_of_another_problem_say_which(self, tmp_path, labels, message):
        assert message in _refused(tmp_path, "multiclass", y=labels)


def test_the_problem_types_that_there_are():
    assert list(PROBLEMS)[:3] == ["multiclass", "multilabel", "regression"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "problem: multilable\ndata: {kind: npz}",
            "unknown problem type 'multilable'; did you mean multilabel",
        ),
        (
            "problem: regression\ndata: {kind: digits}",
            "problem: data of the kind digits are multiclass, not regression; the kinds csv and npz take any problem",
        ),
        ("problem: multilabel\ndata: {kind: image-folder}", "data of the kind image-folder are multiclass"),
    ],
)
def test_a_problem_that_is_not_there(tmp_path, text, message):
    (tmp_path / "t.yaml").write_text(f"name: t\n{text}\n")
    with pytest.raises(UserError, match="task ") as caught:
        open_task(str(tmp_path / "t.yaml"))
    assert message in str(caught.value)


class TestBuiltIn:
    def test_tiled_digits(self):
        task = open_task("tiled-digits")
        assert task.sha256 == "f5ecf87b18710b9d599c1f39152df6bae841227754f7df4e0472388e4cd44ec3"
        assert [len(each) for each in (task.train, task.validation, task.test)] == [1000, 500, 1000]
        assert task.signature.output.meaning == "bernoulli"
        # Up to four tiles, six in ten of which show a digit.
        assert task.train.labels.sum(dim=1).max() == 4
        assert not task.reading.warnings

    def test_digit_value(self):
        task = open_task("digit-value")
        assert task.sha256 == "719a4b70732c67ff42acd42f31a91687eae0fc5d64da9e0e656be4891f63c18b"
        assert task.signature.input.shape == (1, 8, 16)
        assert (float(task.train.labels.min()), float(task.train.labels.max())) == (0, 99)
        assert not task.reading.warnings
