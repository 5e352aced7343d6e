"""A user's mistake: one line that says what is wrong and what would be right, exit code 2, no traceback."""

import json

import numpy as np
import onnx
import pytest
import torch

from automl_kd.core import Input
from automl_kd.onnxio import export
from automl_kd.storage import Database, StudyRecord
from automl_kd.students import ResNet, build

SEARCH = ("search", "--hw", "jetson-nano", "--budget", "3m")
SPACE = "search_epochs: 3\nstudent: {family: resnet, depth: 8}\ntrain: {epochs: 3}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("search", "--hw", "jetson-nono", "--budget", "3m"),
            "unknown device 'jetson-nono'; did you mean jetson-nano, jetson-agx-orin, jetson-tx2?",
        ),
        ((*SEARCH, "--space", "tiny"), "unknown search space 'tiny'; did you mean tiny_cnn"),
        ((*SEARCH, "--task", "digit"), "unknown task 'digit'; did you mean digits"),
        ((*SEARCH, "--task", "my.yaml"), "my.yaml: no such file"),
        ((*SEARCH, "--data", "x.npz"), "task digits takes no data"),
        ((*SEARCH[:3], "--budget", "soon"), "budget 'soon': write a duration such as 90s, 3m, 1h30m or 2d"),
        ((*SEARCH[:3], "--budget", "0s"), "budget '0s': must be above zero"),
        ((*SEARCH, "--max-latency", "4 parsecs"), "max_latency '4 parsecs': write a time such as 4ms"),
        ((*SEARCH, "--max-params", "few"), "max_params 'few': write a number such as 20000"),
        ((*SEARCH, "--max-memory", "4 rooms"), "max_memory '4 rooms': write a size such as 512KB"),
        ((*SEARCH, "--workers", "-1"), "workers -1: must be at least 0"),
        ((*SEARCH, "--workers", "many"), "Invalid value for '--workers': Input should be a valid integer"),
        ((*SEARCH, "--device", "tpu"), "device 'tpu': write auto, cpu or cuda"),
        (
            (*SEARCH, "--set", "studnet.width=1"),
            "--set studnet.width=1: 'studnet'; did you mean student?",
        ),
        ((*SEARCH, "--set", "student.family"), "--set student.family: write path=value"),
        ((*SEARCH, "--set", "student.family=rnn"), "--set student.family=rnn: no alternative of the space fits"),
        ((*SEARCH, "--teacher", "net.h5"), "teacher 'net.h5': should be a file ending in .pt, .pth"),
        ((*SEARCH, "--teacher", "net.onnx"), "net.onnx"),
        (("search", "--budget", "3m"), "Missing option '--hw'"),
        (("status", "--color", "red"), "No such option"),
        (("serch",), "No such command 'serch'"),
        (("hw", "show", "jetson"), "unknown device 'jetson'"),
        (("hw", "predict", "absent.onnx", "--hw", "jetson-nano"), "absent.onnx"),
        (("hw", "measure", "absent.onnx"), "absent.onnx"),
        (("space", "show", "tiny_cmm"), "did you mean tiny_cnn"),
        (("distill", "absent.yaml"), "absent.yaml: no such file"),
        (("status",), "automl-kd.db does not exist; begin a search"),
        (("export",), "automl-kd.db does not exist; begin a search"),
        (("report",), "automl-kd.db does not exist; begin a search"),
        (("compare", "1", "2"), "automl-kd.db does not exist; begin a search"),
        (("compare",), "Missing argument 'trials'"),
        (("dashboard",), "automl-kd.db does not exist; begin a search"),
        (("dashboard", "--host", "0.0.0.0"), "host 0.0.0.0: the dashboard has no authentication"),
        (("status", "--storage", "sqlite:///absent/automl-kd.db"), "folder absent does not exist"),
        (("status", "--storage", "foo://x"), "foo://x: Can't load plugin"),
    ],
)
def test_a_mistake_is_told_in_one_line(mistake, arguments, message):
    assert message in mistake(*arguments)


def test_without_json_the_line_is_all_there_is(run):
    said = run("hw", "show", "jetson-nono")
    assert (said.code, said.out) == (2, "")
    nearest = "jetson-nano, jetson-agx-orin, jetson-tx2"
    assert said.err == f"automl-kd: unknown device 'jetson-nono'; did you mean {nearest}?\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("student: {family: resnet, depth: 7}\n", ["student", "7"]),
        ("student: {family: resnett}\n", ["student", "unknown family 'resnett'; did you mean resnet"]),
        ("student: {family: resnet, depth: 8}\ntrain: {epochs: none}\n", ["train.epochs", '"none" is not allowed']),
        ("student: {family: resnet, depth: 8}\ntrain: {epochs: 1, lr: 3}\n", ["train: unknown field 'lr'"]),
        ("student: {family: resnet, depth: 8}\ntrain: {epochs: {int: [1, 3]}}\n", ["train.epochs", "search space"]),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\ncompress: quantise\n",
            ['compress: "quantise" is not allowed: write a list, such as [{stage: quantise}], or [] for none'],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\n"
            "compress: [{stage: quantise, keep_float: first}]\n",
            ['compress.0.keep_float: "first" is not allowed: write a list, such as [first], or auto'],
        ),
        ("student: [\n", ["line", "not YAML"]),
        ("- 1\n", ["holds a list"]),
    ],
)
def test_a_malformed_recipe_is_told_by_file_path_and_value(mistake, tmp_path, text, words):
    (tmp_path / "here" / "mine.yaml").write_text(text)
    message = mistake("distill", "mine.yaml")
    assert message.startswith("mine.yaml")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SPACE.replace("search_epochs: 3\n", ""), ["search_epochs", "is missing"]),
        (SPACE.replace("depth: 8", "depth: {choice: []}"), ["student.depth"]),
        (SPACE.replace("depth: 8", "depth: {int: [9, 2]}"), ["student.depth", "9"]),
        (SPACE.replace("family: resnet", "family: vit"), ["student", "unknown family 'vit'"]),
        (SPACE + "seed: {int: [1, 2]}\n", ["seed", "cannot be a hole"]),
        (SPACE.replace("epochs: 3}", "epochs: {choice: [1, zero]}}"), ["train.epochs", '"zero"']),
    ],
)
def test_a_malformed_space_is_told_by_file_path_and_value(mistake, tmp_path, text, words):
    (tmp_path / "here" / "mine.yaml").write_text(text)
    message = mistake("space", "show", "mine.yaml")
    assert message.startswith("mine.yaml")
    for word in words:
        assert word in message


@pytest.mark.parametrize("verb", [("status",), ("export",), ("report",), ("dashboard",), SEARCH])
def test_a_damaged_database_is_told_by_name_by_every_verb_and_left_as_it_is(mistake, tmp_path, verb):
    path = tmp_path / "here" / "automl-kd.db"
    path.write_bytes(b"not a database at all " * 300)
    assert "automl-kd.db: is damaged or not an SQLite database" in mistake(*verb)
    assert path.read_bytes() == b"not a database at all " * 300


@pytest.mark.parametrize("verb", [("status",), ("export",), ("report",), ("compare", "1", "2")])
def test_an_unknown_study_is_told_with_the_nearest_names(mistake, tmp_path, verb):
    database = Database(str(tmp_path / "here" / "automl-kd.db"))
    for name in ("camera", "digits-jetson-nano-tiny_cnn"):
        database.save_study(StudyRecord(name, {}, {}, 1.0))
    assert "'camara'; did you mean camera?" in mistake(*verb, "--study", "camara")


def test_with_several_studies_a_verb_asks_which(mistake, tmp_path):
    database = Database(str(tmp_path / "here" / "automl-kd.db"))
    for name in ("one", "two"):
        database.save_study(StudyRecord(name, {}, {}, 1.0))
    assert mistake("report").endswith("holds 2 studies; name one with --study: one, two")


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        ("knees", "write knee, best, fastest, the number of a trial, or a rule such as 'score >= 0.95"),
        ("9999", "did not reach"),
        ("²", "write knee, best, fastest"),
        ("score >= 95", "rule, at character 10, '95': score is a share of at most 1; write 0.95, or 95% for per cent"),
        ("latency <= 3", "rule, at character 1, 'latency': unknown name; did you mean latency_ms"),
        (
            "score > 0 and params < 1 and trial != 99",
            "params < 1 and trial != 99 holds for no finished trial of study cam",
        ),
        ("score > 0 and params < 1", "(asked: < 1)"),
    ],
)
def test_an_unknown_pick_is_told(mistake, searched, pick, message):
    assert message in mistake("export", "--storage", searched.folder / "automl-kd.db", "--pick", pick)


@pytest.mark.parametrize(
    ("trials", "message"),
    [(("best",), "two or three trials, not 1"), (("best", "9999"), "did not reach"), (("best", "best"), "there twice")],
)
def test_what_cannot_be_compared_is_told(mistake, searched, trials, message):
    assert message in mistake("compare", *trials, "--storage", searched.folder / "automl-kd.db")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "--pick", "score >= 0.5 and"), "automl-kd: rule, at its end: write a name first, such as score"),
        (("export", "--pick", f"score > 0{' or score > 0' * 100}"), "automl-kd: rule of 1,309 characters: write at"),
        (("compare", "best", "trial"), "automl-kd: pick 'trial': write knee, best, fastest"),
    ],
)
def test_a_process_ends_with_the_line_and_leaves_nothing(command, searched, tmp_path, arguments, message):
    ended = command(*arguments, "--storage", searched.folder / "automl-kd.db", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(message)
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_export_never_replaces_a_folder_of_other_files(mistake, searched, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    message = mistake("export", "--storage", searched.folder / "automl-kd.db", "--out", tmp_path / "thesis")
    assert "holds 'chapter1.tex', which is not of an earlier delivery" in message
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


@pytest.mark.parametrize("verb", [("hw", "predict", "--hw", "jetson-nano"), ("hw", "measure")])
def test_a_file_that_is_no_onnx_model_is_told_by_name(mistake, tmp_path, verb):
    (tmp_path / "here" / "notes.onnx").write_text("these are my notes")
    assert "notes.onnx" in mistake(*verb, "notes.onnx")


def test_an_input_shape_that_is_none_is_told(mistake, tmp_path):
    onnx.save(onnx.ModelProto(), tmp_path / "here" / "empty.onnx")
    arguments = ("hw", "predict", "empty.onnx", "--hw", "jetson-nano", "--input-shape", "224,high")
    assert "--input-shape 224,high: write sizes above zero" in mistake(*arguments)


def test_a_teacher_that_does_not_fit_is_told_with_the_shapes_of_both(mistake, tmp_path):
    module = build(ResNet(family="resnet", depth=8), input_shape=(3, 16, 16), classes=7).eval()
    export(module, tmp_path / "here" / "teacher.onnx", Input.of_images((3, 16, 16)))
    message = mistake(*SEARCH, "--teacher", "teacher.onnx", "--set", "student.width=0.25")
    assert "returns logits of shape (7); the task needs (10)" in message


@pytest.mark.parametrize(
    ("losses", "augment", "classes", "file", "message"),
    [
        (
            "hint: {weight: 1}",
            "",
            10,
            "onnx",
            "hint.at: this teacher gives logits only, no feature maps",
        ),
        ("kd: {weight: 1}", "", 7, "onnx", "teacher.onnx returns logits of shape (7); the task needs (10)"),
        ("hint: {weight: 1, at: [stage9]}", "", 10, "pt", "the student has no stage 'stage9': use stage1, stage2"),
        (
            "hint: {weight: 1, at: [{student: stage1, teacher: layer4}]}",
            "",
            10,
            "pt",
            "unknown teacher stage 'layer4'; stages: stage1",
        ),
        ("dkd: {weight: 1}", "mixup", 10, "pt", "dkd needs images that are not mixed, and train.augment has mixup"),
        ("kd: {weight: 1, temperature: -1}", "", 10, "pt", "distill.losses.kd.temperature: -1 is not allowed"),
        ("kd: {weight: 1, until: 1.2}", "", 10, "pt", "distill.losses.kd.until: 1.2 is not allowed"),
        (
            "custom: {mine: {file: mine.py, function: f, weight: 1}}",
            *("", 10, "pt", "custom.mine: runs the code of mine.py: look at it, then allow it with --allow-code"),
        ),
    ],
)
def test_a_recipe_that_cannot_be_distilled_is_told_before_training(
    mistake, tmp_path, losses, augment, classes, file, message
):
    folder = tmp_path / "here"
    folder.mkdir(exist_ok=True)
    module = build(ResNet(family="resnet", depth=8), input_shape=(1, 8, 8), classes=classes)
    if file == "onnx":
        export(module.eval(), folder / "teacher.onnx", Input.of_images((1, 8, 8)))
    else:
        torch.save(module.state_dict(), folder / "teacher.pt")
    student = "{family: resnet, stages: [{depth: 1, channels: 4}, {depth: 1, channels: 8}]}"
    (folder / "recipe.yaml").write_text(
        f"task: digits\nstudent: {student}\ndistill: {{losses: {{{losses}}}}}\n"
        f"train: {{epochs: 1, augment: [{augment}]}}\n"
    )
    teacher = "teacher.onnx" if file == "onnx" else "teacher.pt@{family: resnet, depth: 8}"
    assert message in mistake("distill", "recipe.yaml", "--teacher", teacher, "--hw", "jetson-nano")


def test_data_that_are_no_images_are_told_by_file(mistake, tmp_path):
    np.savez(tmp_path / "here" / "table.npz", x=np.zeros((10, 4)), y=np.zeros(10, int))
    message = mistake(*SEARCH, "--task", "npz", "--data", "table.npz")
    assert "table.npz" in message
    assert "(10, 4)" in message


def test_the_document_of_an_error_is_plain_json_also_where_the_name_is_not_ascii(run):
    said = run("hw", "show", "jetson-näno", "--json")
    assert "jetson-näno" in json.loads(said.out)["error"]
