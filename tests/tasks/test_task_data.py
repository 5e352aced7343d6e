import numpy as np
import pytest
import torch
from PIL import Image
from task_files import patterns, write_fashion, write_folder, write_idx

from automl_kd.core import UserError
from automl_kd.tasks import TrainedTeacher, open_task
from automl_kd.teachers import CheckpointTeacher, OnnxTeacher


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _message(*arguments):
    with pytest.raises(UserError) as caught:
        open_task(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _write_task(path, text):
    path.write_text(text)
    return str(path)


class TestArchive:
    def _task(self, tmp_path, **arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return open_task("npz", str(tmp_path / "a.npz"))

    def test_the_three_layouts_hold_the_same_images(self, tmp_path):
        images, labels = patterns(60, (10, 12, 3))
        last = self._task(tmp_path, x=images, y=labels)
        first = self._task(tmp_path, images=images.transpose(0, 3, 1, 2), labels=labels)
        grey = self._task(tmp_path, x_train=images[..., 0], y_train=labels)
        assert last.signature.input.shape == first.signature.input.shape == (3, 10, 12)
        assert last.sha256 == first.sha256
        assert grey.signature.input.shape == (1, 10, 12)
        assert torch.equal(grey.train.inputs[:, 0], last.train.inputs[:, 0])
        assert last.train.inputs.dtype == torch.uint8

    def test_floats_and_named_classes(self, tmp_path):
        images, labels = patterns(60)
        names = np.array(["zebra", "ant", "cow"])
        task = self._task(tmp_path, x=images / 7.0, y=names[labels])
        assert task.train.inputs.dtype == torch.float32
        assert task.problem.names == ("ant", "cow", "zebra")
        # Brightness tells the class: 0 was "zebra", 1 "ant", 2 "cow".
        brightness = [float(task.train.inputs[task.train.labels == label].mean()) for label in range(3)]
        assert brightness[2] < brightness[0] < brightness[1]

    def test_an_official_test_set_is_the_test_split(self, tmp_path):
        images, labels = patterns(60)
        more, classes = patterns(9, seed=5)
        task = self._task(tmp_path, x_train=images, y_train=labels, x_test=more, y_test=classes)
        assert torch.equal(task.test.inputs[:, 0], torch.from_numpy(more))
        assert torch.equal(task.test.labels, torch.from_numpy(classes))
        assert len(task.train) + len(task.validation) == 60

    def test_a_constant_channel_stays_finite(self, tmp_path):
        images, labels = patterns(60, (4, 5, 2))
        images[..., 1] = 9
        task = self._task(tmp_path, x=images, y=labels)
        assert torch.isfinite(task.modality.prepare(task.train.inputs)).all()
        assert any("channel 1 has the same value in every training image" in line for line in task.reading.warnings)

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"z": 1}, "holds z; it should hold one of x, images, x_train"),
            ({"y": np.zeros((60, 3))}, "y is float64 (60, 3); labels should be (N,) of integers or text"),
            ({"y": np.arange(50) % 3}, "x has 60 images, y has 50 labels"),
            ({"x": np.zeros((60, 4))}, "x is float64 (60, 4); images should be numbers of shape"),
            ({"x": np.zeros((60, 4, 5, 4))}, "(60, 4, 5, 4): it cannot be told which dimension holds the channels"),
            ({"x": np.full((60, 4, 5), np.nan)}, "x holds values that are not finite"),
            ({"x": np.full((60, 4, 5), None)}, "cannot be read as .npz of plain arrays"),
            ({"x_test": np.zeros((2, 8, 8), np.uint8)}, "it should hold one of y_test"),
            ({"x_test": np.zeros((2, 8, 8), np.uint8), "y_test": [0, 7]}, "y_test holds the class 7"),
            ({"x_test": np.zeros((2, 9, 8), np.uint8), "y_test": [0, 1]}, "x_test holds uint8 (1, 9, 8)"),
        ],
    )
    def test_what_is_wrong_is_said_in_one_line(self, tmp_path, arrays, message):
        images, labels = patterns(60)
        whole = arrays if "z" in arrays else {"x": images, "y": labels} | arrays
        np.savez(tmp_path / "a.npz", **whole)
        assert message in _message("npz", str(tmp_path / "a.npz"))

    def test_a_file_that_is_no_archive(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"not an archive")
        np.save(tmp_path / "b.npy", np.zeros(3))
        assert "cannot be read as .npz" in _message("npz", str(tmp_path / "a.npz"))
        assert "holds one array" in _message("npz", str(tmp_path / "b.npy"))
        assert "no such file" in _message("npz", str(tmp_path / "c.npz"))
        assert "give the .npz file" in _message("npz")


class TestFashionMnist:
    def _task(self, tmp_path, folder):
        text = f"name: small\ndata: {{kind: fashion-mnist, path: {folder}}}\nsplits: {{train: 150, validation: 50}}\n"
        return open_task(_write_task(tmp_path / "task.yaml", text))

    @pytest.mark.parametrize("ending", [".gz", ""])
    def test_reads_what_was_written(self, tmp_path, ending):
        write_fashion(tmp_path / "idx", ending=ending)
        task = self._task(tmp_path, "idx")
        assert [len(task.train), len(task.validation), len(task.test)] == [150, 50, 40]
        assert task.signature.input.shape == (1, 28, 28)
        images, labels = patterns(40, (28, 28), classes=10, seed=1)
        assert torch.equal(task.test.inputs[:, 0], torch.from_numpy(images))
        assert torch.equal(task.test.labels, torch.from_numpy(labels))

    def test_absent_files_say_how_to_get_them(self, tmp_path):
        message = _message("fashion-mnist", str(tmp_path))
        assert "apt-get install dataset-fashion-mnist" in message
        assert "--data" in message

    def test_damaged_files_are_named(self, tmp_path):
        folder = write_fashion(tmp_path / "idx")
        file = folder / "train-images-idx3-ubyte.gz"
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        assert "train-images-idx3-ubyte.gz: cannot be read as IDX" in _message("fashion-mnist", str(folder))
        file.write_bytes(b"\x00\x00")
        assert "train-images-idx3-ubyte.gz: cannot be read as IDX" in _message("fashion-mnist", str(folder))
        file.unlink()
        (folder / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03" + b"\x00\x00\x00\x02" * 3 + b"1234567")
        assert "no complete IDX file of bytes (7 bytes for shape (2, 2, 2))" in _message("fashion-mnist", str(folder))

    def test_labels_must_go_with_the_images(self, tmp_path):
        folder = write_fashion(tmp_path / "idx")
        write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.zeros(39))
        assert "do not go together" in _message("fashion-mnist", str(folder))


class TestImageFolder:
    def _task(self, tmp_path, more=""):
        text = f"name: mine\ndata: {{kind: image-folder, path: images{more}}}\nsplits: {{validation: .2, test: .2}}\n"
        return open_task(_write_task(tmp_path / "task.yaml", text))

    def test_classes_sizes_and_pixels(self, tmp_path):
        write_folder(tmp_path / "images")
        task = self._task(tmp_path, ", size: 14")
        assert task.problem.names == ("ant", "bee", "cow")
        assert task.signature.input.shape == (3, 14, 14)
        assert task.train.inputs.dtype == torch.uint8
        # 20 x 14 pixels are cropped to the middle 14 x 14 without being scaled.
        original = np.asarray(Image.open(tmp_path / "images/ant/000.png"))[:, 3:17].transpose(2, 0, 1)
        splits = (task.train, task.validation, task.test)
        assert any((split.inputs == torch.from_numpy(original.copy())).all((1, 2, 3)).any() for split in splits)

    def test_grey_images(self, tmp_path):
        write_folder(tmp_path / "images", mode="L")
        assert self._task(tmp_path, ", size: 32, channels: 1").signature.input.shape == (1, 32, 32)
        colour = self._task(tmp_path, ", size: 32")
        assert colour.signature.input.shape == (3, 32, 32)
        assert torch.equal(colour.train.inputs[:, 0], colour.train.inputs[:, 2])

    def test_images_are_decoded_once_and_again_when_they_change(self, tmp_path):
        root = write_folder(tmp_path / "images")
        first = self._task(tmp_path)
        (stored,) = (tmp_path / "cache" / "images").glob("*.npy")
        written = stored.stat().st_mtime_ns
        assert self._task(tmp_path).sha256 == first.sha256
        assert stored.stat().st_mtime_ns == written

        file = root / "ant" / "000.png"
        Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
        assert self._task(tmp_path).sha256 != first.sha256
        assert len(list(stored.parent.glob("*.npy"))) == 2

    def test_a_damaged_cache_is_noticed_and_made_again(self, tmp_path):
        write_folder(tmp_path / "images")
        first = self._task(tmp_path)
        (stored,) = (tmp_path / "cache" / "images").glob("*.npy")
        content = bytearray(stored.read_bytes())
        content[-1] ^= 1
        stored.write_bytes(content)
        assert self._task(tmp_path).sha256 == first.sha256

    def test_what_is_wrong_is_said_in_one_line(self, tmp_path):
        root = tmp_path / "images"
        assert "no such folder" in _message("image-folder", str(root))
        assert "give the folder of classes" in _message("image-folder")
        (root / "ant").mkdir(parents=True)
        assert "holds 1 sub-folders" in _message("image-folder", str(root))
        (root / "bee").mkdir()
        assert "ant: holds no images" in _message("image-folder", str(root))
        write_folder(root)
        (root / "ant" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
        assert "ant/broken.jpg: cannot be read as an image" in _message("image-folder", str(root))


class TestTaskFile:
    def test_relative_paths_start_at_the_file(self, tmp_path, monkeypatch):
        images, labels = patterns(60)
        folder = tmp_path / "project"
        folder.mkdir()
        np.savez(folder / "data.npz", x=images, y=labels)
        text = "name: mine\ndata: {kind: npz, path: data.npz}\nteacher: {onnx: t/net.onnx}\n"
        monkeypatch.chdir(tmp_path)
        task = open_task(_write_task(folder / "task.yaml", text))
        assert task.name == "mine"
        assert task.teacher == OnnxTeacher(onnx=str(folder / "t" / "net.onnx"))

        np.savez(tmp_path / "other.npz", x=images[::-1], y=labels)
        other = open_task(str(folder / "task.yaml"), "other.npz")
        assert other.sha256 != task.sha256
        assert other.reference.data == str(tmp_path / "other.npz"), "a recipe finds its data from every folder"

    def test_every_form_of_teacher(self, tmp_path):
        images, labels = patterns(60)
        np.savez(tmp_path / "data.npz", x=images, y=labels)
        base = "name: mine\ndata: {kind: npz, path: data.npz}\nteacher: "
        student = "{family: resnet, depth: 8}"
        trained = open_task(
            _write_task(tmp_path / "t.yaml", f"{base}{{train: {{student: {student}, train: {{epochs: 3}}}}}}")
        ).teacher
        assert isinstance(trained, TrainedTeacher)
        assert trained.train.train.epochs == 3
        loaded = open_task(_write_task(tmp_path / "t.yaml", f"{base}{{checkpoint: a.pt, student: {student}}}")).teacher
        assert isinstance(loaded, CheckpointTeacher)
        several = open_task(
            _write_task(tmp_path / "t.yaml", f"{base}[{{onnx: a.onnx}}, {{program: b.pt2}}, {{timm: c}}]")
        ).teacher
        assert [getattr(each, field) for each, field in zip(several, ("onnx", "program", "timm"), strict=True)] == [
            str(tmp_path / name) for name in ("a.onnx", "b.pt2", "c")
        ]
        assert loaded.checkpoint == str(tmp_path / "a.pt")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name: [", "task.yaml, line"),
            ("- 1", "holds a list"),
            ("name: m", "data: is missing"),
            ("name: m\nversion: 2\ndata: {kind: digits}", "version: 2 is not allowed"),
            (
                "name: m\nmetric: f1\ndata: {kind: digits}",
                "metric: unknown metric 'f1'; a multiclass problem has: accuracy, balanced_accuracy, macro_f1,",
            ),
            ("name: m\nmetric: [macro_f1, rmse]\ndata: {kind: digits}", "metric: unknown metric 'rmse'; a multiclass"),
            ("name: m\nmetric: [ece, ece]\ndata: {kind: digits}", "metric: names ece twice; once is right"),
            ("name: m\nmetric: []\ndata: {kind: digits}", "metric: [] is not allowed"),
            ("name: m\nmetric: 3\ndata: {kind: digits}", "metric: 3 is not allowed"),
            (
                "name: m\ndata: {kind: cifar}",
                "data: unknown kind 'cifar'; known: cluttered-digits, csv, digit-value, digits",
            ),
            ("name: m\ndata: {kind: npz, pth: x}", "unknown field 'pth'; did you mean path?"),
            ("name: m\ndata: {kind: image-folder, path: x, size: 2}", "data.size: 2 is not allowed"),
            ("name: m\ndata: {kind: digits}\nteacher: {file: x}", "a teacher is {train"),
            ("name: m\ndata: {kind: digits}\nteacher: [{onnx: x.onnx}]", "should have at least 2 items"),
            ("name: m\ndata: {kind: digits}\nteacher: [{onnx: x.onnx}, {onxn: x}]", "teacher.1: "),
            (
                "name: m\ndata: {kind: digits}\nteacher: {checkpoint: x.pt}",
                "teacher.student: is missing",
            ),
            (
                "name: m\ndata: {kind: digits}\nteacher: {train: {student: {family: resnet, depth: 9}, train: {}}}",
                "teacher.train.student.depth: 9 is not allowed",
            ),
            ("name: m\ndata: {kind: npz, path: none.npz}", "none.npz: no such file"),
        ],
    )
    def test_mistakes_name_file_path_and_what_is_allowed(self, tmp_path, text, message):
        shown = _message(_write_task(tmp_path / "task.yaml", text))
        assert message in shown
        assert "task.yaml" in shown

    def test_names_that_do_not_exist(self, tmp_path):
        assert _message("fashion") == "unknown task 'fashion'; did you mean fashion-mnist?"
        assert "no such file" in _message(str(tmp_path / "none.yaml"))
        assert "takes no data" in _message("digits", "somewhere")


def _names(task):
    return [metric.name for metric in task.metrics]


_DIGITS_SHA256 = "ecabe76842969118cf1b2e884b40d108712ed0fe54dac31bd50c97c337fc73f7"
_EVERY = ["accuracy", "balanced_accuracy", "macro_f1", "top_5_accuracy", "auroc", "log_loss", "ece"]


class TestMetrics:
    @pytest.mark.parametrize(
        ("stated", "chosen", "found"),
        [
            ("", None, _EVERY),
            ("metric: macro_f1", None, ["macro_f1", *(name for name in _EVERY if name != "macro_f1")]),
            ("metric: top_2_accuracy", None, ["top_2_accuracy", *_EVERY]),
            ("metric: [log_loss, accuracy]", None, ["log_loss", "accuracy"]),
            ("metric: [log_loss, accuracy]", "ece", ["ece", "log_loss", "accuracy"]),
            ("metric: [log_loss, accuracy]", "accuracy", ["accuracy", "log_loss"]),
            ("metric: [log_loss, accuracy]", "log_loss", ["log_loss", "accuracy"]),
        ],
    )
    def test_the_first_is_searched_and_teachers_are_kept_whatever_it_is(self, tmp_path, stated, chosen, found):
        text = f"name: t\ndata: {{kind: digits}}\nsplits: {{validation: 300, train: 1000}}\n{stated}"
        task = open_task(_write_task(tmp_path / "t.yaml", text), None, chosen)
        assert _names(task) == found
        assert task.metric == task.metrics[0]
        # The hash that version 0.1 gave: trained teachers and their outputs are kept under it.
        assert task.sha256 == _DIGITS_SHA256
        assert task.reference.metric == (None if chosen in (None, "log_loss") else chosen)

    def test_what_a_recipe_says_of_the_task_opens_it_again(self, tmp_path):
        reference = open_task("digits", metric="macro_f1").reference
        assert open_task(reference.name, reference.data, reference.metric).metric.name == "macro_f1"

    def test_few_classes_leave_out_what_cannot_be_wrong(self, tmp_path):
        images, labels = patterns(60)
        np.savez(tmp_path / "a.npz", x=images, y=labels)
        assert _names(open_task("npz", str(tmp_path / "a.npz"))) == [
            name for name in _EVERY if name != "top_5_accuracy"
        ]
        assert "the metric top_3_accuracy is 100 % for any network of 3 classes" in _message(
            "npz", str(tmp_path / "a.npz"), "top_3_accuracy"
        )

    def test_a_metric_of_another_problem_is_refused_with_those_that_the_task_has(self):
        assert _message("digits", None, "rmse").startswith(
            "task digits: unknown metric 'rmse'; a multiclass problem has: accuracy, balanced_accuracy,"
        )
