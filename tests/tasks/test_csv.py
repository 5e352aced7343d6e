"""Tables: texts and pictures with labels of any problem type, and what is wrong with them in one line."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from task_files import patterns

from automl_kd.core import UserError
from automl_kd.tasks import data_place, open_task

_GOOD, _BAD = ("great", "lovely", "fine"), ("awful", "poor", "sad")
_FILL = ("the", "film", "was", "a", "plot")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _texts(count=200, seed=0):
    source = random.Random(seed)
    rows = []
    for number in range(count):
        good = number % 2
        words = [source.choice(_FILL) for _ in range(6)] + [source.choice(_GOOD if good else _BAD)]
        rows.append((f"The Film, {number}: {' '.join(words)}!", "good" if good else "bad", number / 10))
    return rows


def _write(path, rows, header="text,label,score"):
    lines = [header, *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _task(tmp_path, data, problem="multiclass"):
    (tmp_path / "t.yaml").write_text(f"name: t\nproblem: {problem}\ndata: {{kind: csv, path: t.csv, {data}}}\n")
    return open_task(str(tmp_path / "t.yaml"))


def _refused(tmp_path, data, problem="multiclass"):
    with pytest.raises(UserError) as caught:
        _task(tmp_path, data, problem)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestTexts:
    def test_the_vocabulary_is_that_of_the_training_split(self, tmp_path):
        _write(tmp_path / "t.csv", _texts())
        task = _task(tmp_path, "text: text, label: label, length: 10, vocabulary: 11")
        assert (task.modality.name, task.modality.noun) == ("text", "text")
        given = task.signature.input
        assert (given.shape, given.dtype, given.ids) == ((10,), "int64", 13)
        assert task.modality.vocabulary[:2] == ("the", "film")
        assert task.train.inputs.dtype == torch.int64
        assert int(task.train.inputs.max()) == 12
        # A number that stands in one text is too rare for the vocabulary.
        words = dict(enumerate(task.modality.vocabulary, start=2))
        first = task.train.inputs[0].tolist()
        assert words[first[0]] == "the"
        assert words[first[1]] == "film"
        assert first[2] == 1
        assert first[-1] != 0
        counts = [int((task.train.inputs == number).sum()) for number in range(2, 13)]
        assert counts == sorted(counts, reverse=True)

    def test_a_word_of_the_test_split_alone_is_unknown(self, tmp_path):
        rows = [(*row[:2], "train") for row in _texts(100)]
        rows += [("great unheard film", "good", "test"), ("sad film", "bad", "test")]
        _write(tmp_path / "t.csv", rows, "text,label,part")
        task = _task(tmp_path, "text: text, label: label, split: part, length: 5")
        assert "unheard" not in task.modality.vocabulary
        assert [len(task.train), len(task.validation), len(task.test)] == [85, 15, 2]
        assert task.test.inputs[0].tolist()[1] == 1
        assert task.test.inputs[1].tolist()[2:] == [0, 0, 0]
        assert task.test.name(0) == "line 102"

    def test_characters(self, tmp_path):
        _write(tmp_path / "t.csv", _texts())
        task = _task(tmp_path, "text: text, label: label, tokens: characters, length: 20")
        assert {"T", "t", " "} <= set(task.modality.vocabulary)

    def test_a_byte_order_mark_lines_in_a_cell_and_empty_lines(self, tmp_path):
        rows = _texts(60)
        rows[3] = ("great\nfilm", "good", "1")
        _write(tmp_path / "t.csv", rows)
        plain = _task(tmp_path, "text: text, label: label")
        content = (tmp_path / "t.csv").read_bytes()
        (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + content + b"\r\n\n")
        assert _task(tmp_path, "text: text, label: label").sha256 == plain.sha256
        names = {plain.train.name(row) for row in range(len(plain.train))}
        assert "line 6" not in names  # the second line of the row that begins on line 5

    def test_what_was_understood(self, tmp_path):
        rows = [*_texts(), ("the film", "good", 1), ("the film", "bad", 1)]
        _write(tmp_path / "t.csv", rows)
        reading = _task(tmp_path, "text: text, label: label, length: 8").reading
        assert (reading.modality, reading.problem) == ("text", "multiclass")
        said = "\n".join(line for _, line in reading.rows)
        assert "202 texts of 2 classes" in said
        assert "tokens are words, of each text the first 8; the vocabulary has" in said
        assert "words a text: 10 in the shortest 5 %, 10 in half, 10 in the longest 5 %; 99.0 % of texts" in said
        warnings = "\n".join(reading.warnings)
        assert "1 text in two classes, such as" in warnings
        assert "are longer than 8 and were cut off; data.length: 10 would keep" in warnings

    def test_equal_tasks_have_equal_hashes_and_others_not(self, tmp_path):
        _write(tmp_path / "t.csv", _texts())
        data = "text: text, label: label, length: 8"
        hashes = [
            _task(tmp_path, each).sha256 for each in (data, data, data + ", vocabulary: 9", data + ", tokens: words")
        ]
        assert hashes[0] == hashes[1] == hashes[3] != hashes[2]


class TestLabels:
    def test_classes_that_are_numbers_stand_in_their_order(self, tmp_path):
        _write(tmp_path / "t.csv", [(text, number % 11) for number, (text, *_) in enumerate(_texts(220))], "text,label")
        assert _task(tmp_path, "text: text, label: label").problem.names == tuple(map(str, range(11)))

    def test_lists_in_a_cell(self, tmp_path):
        lists = ("", "a", "b | a", "c")
        _write(tmp_path / "t.csv", [(text, lists[row % 4]) for row, (text, *_) in enumerate(_texts())], "text,tags")
        task = _task(tmp_path, "text: text, label: tags", "multilabel")
        assert task.problem.names == ("a", "b", "c")
        labels = torch.cat([task.train.labels, task.validation.labels, task.test.labels])
        assert labels.sum(dim=0).tolist() == [100, 50, 50]
        assert any("none in" in line for _, line in task.reading.rows)

    def test_a_column_a_label(self, tmp_path):
        _write(
            tmp_path / "t.csv", [(text, row % 2, row % 3 // 2) for row, (text, *_) in enumerate(_texts())], "text,a,b"
        )
        task = _task(tmp_path, "text: text, label: [a, b]", "multilabel")
        assert task.problem.names == ("a", "b")
        assert 0 < float(task.train.labels.mean()) < 1

    def test_values(self, tmp_path):
        _write(tmp_path / "t.csv", _texts())
        task = _task(tmp_path, "text: text, label: score", "regression")
        assert task.problem.names == ("score",)
        assert float(torch.cat([task.train.labels, task.validation.labels, task.test.labels]).max()) == pytest.approx(
            19.9
        )

    @pytest.mark.parametrize(
        ("problem", "cell", "data", "message"),
        [
            (
                "multiclass",
                "a|b",
                "label: y",
                "line 3: column y is 'a|b', a list of 2; a multiclass problem takes one",
            ),
            ("multiclass", "", "label: y", "line 3: column y is empty; every text needs a class"),
            ("multiclass", "a", "label: [y, z]", "data.label names 2 columns, y, z; a multiclass problem takes one"),
            ("regression", "old", "label: y", "line 3: column y is 'old'; a regression takes a number"),
            ("regression", "", "label: y", "line 3: column y is empty; a regression takes a number"),
            ("regression", "inf", "label: y", "line 3: inf is not a finite number"),
            ("multilabel", "yes", "label: [y, z]", "line 3: column y is 'yes'; a multilabel problem takes 0 or 1"),
        ],
    )
    def test_those_that_do_not_fit_the_problem(self, tmp_path, problem, cell, data, message):
        rows = [(text, row % 2, row % 2) for row, (text, *_) in enumerate(_texts(60))]
        rows[1] = (rows[1][0], cell, 1)
        _write(tmp_path / "t.csv", rows, "text,y,z")
        assert f"t.csv: {message}" in _refused(tmp_path, f"text: text, {data}", problem)


class TestPictures:
    def _pictures(self, tmp_path, count=60):
        images, labels = patterns(count)
        (tmp_path / "pictures").mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / "pictures" / f"{number:03}.png")
        return [(f"pictures/{number:03}.png", labels[number] * 1.5) for number in range(count)]

    def test_a_regression(self, tmp_path):
        _write(tmp_path / "t.csv", self._pictures(tmp_path), "file,age")
        task = _task(tmp_path, "image: file, label: age, size: 8, channels: 1", "regression")
        assert task.signature.input.shape == (1, 8, 8)
        images, _ = patterns(60)
        row = int(task.train.name(0).removeprefix("line ")) - 2
        assert np.array_equal(task.train.inputs[0, 0].numpy(), images[row])
        # A worker elsewhere needs the pictures, too.
        assert data_place(str(tmp_path / "t.yaml")) == tmp_path
        moved = open_task(str(tmp_path / "t.yaml"), str(tmp_path))
        assert moved.sha256 == task.sha256

    def test_files_that_are_missing_or_no_pictures(self, tmp_path):
        rows = self._pictures(tmp_path)
        _write(tmp_path / "t.csv", [*rows, ("pictures/none.png", 1)], "file,age")
        assert "t.csv: line 62: " in (said := _refused(tmp_path, "image: file, label: age", "regression"))
        assert "pictures/none.png: no such file" in said
        (tmp_path / "pictures" / "000.png").write_bytes(b"no picture")
        _write(tmp_path / "t.csv", rows, "file,age")
        assert "000.png" in _refused(tmp_path, "image: file, label: age", "regression")

    def test_a_plain_list_needs_no_names_of_columns(self, tmp_path):
        rows = [
            (path, int(age), ("train", "train", "train", "test")[number % 4])
            for number, (path, age) in enumerate(self._pictures(tmp_path))
        ]
        _write(tmp_path / "t.csv", rows, "path,label,split")
        task = _task(tmp_path, "size: 8")
        assert [len(task.train), len(task.validation), len(task.test)] == [38, 7, 15]
        assert task.problem.names == ("0", "1", "3")
        _write(tmp_path / "t.csv", [row[:2] for row in rows], "file,label")
        assert "it has file, label, and a plain list of pictures has path,label[,split][,group]" in _refused(
            tmp_path, "size: 8"
        )

    def test_damaged_ones_are_left_out_with_their_labels(self, tmp_path):
        rows = self._pictures(tmp_path)
        (tmp_path / "pictures" / "004.png").write_bytes(b"no picture")
        _write(tmp_path / "t.csv", rows, "file,age")
        task = _task(tmp_path, "image: file, label: age, size: 8, channels: 1, skip_damaged: true", "regression")
        images, labels = patterns(60)
        splits = (task.train, task.validation, task.test)
        shown = {split.name(row): split for split in splits for row in range(len(split))}
        assert len(shown) == 59
        assert "line 6" not in shown
        for row in range(len(task.test)):
            place = int(task.test.name(row).removeprefix("line ")) - 2
            assert np.array_equal(task.test.inputs[row, 0].numpy(), images[place])
            assert float(task.test.labels[row]) == labels[place] * 1.5

    def test_parquet_is_read_as_a_table_of_the_same_cells(self, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet")
        arrow = pytest.importorskip("pyarrow")
        rows = self._pictures(tmp_path)
        _write(tmp_path / "t.csv", rows, "path,label")
        columns = {"path": [path for path, _ in rows], "label": [age for _, age in rows]}
        parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
        text = (tmp_path / "t.yaml").write_text
        found = []
        for ending in ("csv", "parquet"):
            text(f"name: t\nproblem: regression\ndata: {{kind: csv, path: t.{ending}, size: 8}}\n")
            found.append(open_task(str(tmp_path / "t.yaml")))
        assert found[0].sha256 == found[1].sha256
        assert found[1].train.name(0).startswith("row ")
        parquet.write_table(arrow.table(columns | {"label": [[1]] * 60}), tmp_path / "t.parquet")
        with pytest.raises(UserError, match="column label holds lists; it should hold text or numbers"):
            open_task(str(tmp_path / "t.yaml"))
        (tmp_path / "t.parquet").write_bytes(b"PAR1")
        with pytest.raises(UserError, match=r"t\.parquet: cannot be read as Parquet: "):
            open_task(str(tmp_path / "t.yaml"))


class TestGroups:
    def test_examples_of_one_group_stay_in_one_split(self, tmp_path):
        rows = [(text, label, f"author {number // 4}") for number, (text, label, _) in enumerate(_texts(240))]
        _write(tmp_path / "t.csv", rows, "text,label,author")
        task = _task(tmp_path, "text: text, label: label, group: author, length: 8")
        splits = {name: getattr(task, name) for name in ("train", "validation", "test")}
        authors = {
            name: {(int(split.name(row).removeprefix("line ")) - 2) // 4 for row in range(len(split))}
            for name, split in splits.items()
        }
        assert sum(map(len, authors.values())) == 60 == len(set().union(*authors.values()))
        assert [len(split) for split in splits.values()] == [156, 36, 48]
        assert all(abs(float(split.labels.float().mean()) - 0.5) < 0.02 for split in splits.values())
        assert any("examples of one author in one split" in line for _, line in task.reading.rows)

    def test_a_group_that_is_torn_apart_is_named(self, tmp_path):
        rows = [(*row[:2], f"g{number}", "train") for number, row in enumerate(_texts(60))]
        rows[9] = (*rows[9][:2], "g3", "test")
        rows[8] = (*rows[8][:2], "", "test")
        rows[7] = (*rows[7][:2], "", "train")  # an empty cell is a group of its own
        _write(tmp_path / "t.csv", rows, "text,label,author,part")
        said = _refused(tmp_path, "text: text, label: label, group: author, split: part")
        assert "group g3 of column author is torn apart: line 5 is in train and line 11 in test; keep a group" in said
        assert "data.group: unknown column 'autor'; did you mean author?" in _refused(
            tmp_path, "text: text, label: label, group: autor"
        )


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "data", "message"),
        [
            (b"text,label\n", "text: text, label: label", "t.csv: holds no row below its header"),
            (b"", "text: text, label: label", "t.csv: is empty; its first row should name the columns"),
            (b"text,label\na,b\n", "text: txt, label: label",
             "data.text: unknown column 'txt'; did you mean text?; it has text, label"),
            (b"text,label\na,b\n", "text: text, label: class", "data.label: unknown column 'class'"),
            (b"text;label\na;b\n", "text: text, label: label", "its header holds ';' and no comma"),
            (b"text,text\na,b\n", "text: text, label: text", "two columns are called 'text'"),
            (b"text,label\na,b,c\n", "text: text, label: label", "line 2 has 3 cells, the header has 2"),
            (b"text,label\n,a\n ,b\n", "text: text, label: label", "column text is empty in every row"),
            (b"text,label\n!,a\n?,b\n", "text: text, label: label", "column text holds no words; say data.tokens:"),
            (b"text,label\na,b\ncaf\xe9,b\n", "text: text, label: label", "line 3, byte 18: 0xe9 is not UTF-8"),
            (b"\xef\xbb\xbftext,label\ncaf\xe9,b\n", "text: text, label: label", "line 2, byte 17: 0xe9 is not UTF-8"),
            (b"text,label,part\na,b,held\n", "text: text, label: label, split: part",
             "line 2: column part is 'held'; it should be train, validation or test"),
            (b"text,label,part\na,b,test\n", "text: text, label: label, split: part", "column part has no row with"),
            (b"text,label\na,b\n", "label: label", "should name the column of the examples: either text or image"),
            (b"text,label\na,b\n", "text: text, label: label, size: 8", "size is not for the examples of text"),
        ],
    )  # fmt: skip
    def test_are_said_in_one_line(self, tmp_path, content, data, message):
        (tmp_path / "t.csv").write_bytes(content)
        assert message in _refused(tmp_path, data)

    def test_a_file_that_is_missing(self, tmp_path):
        assert "t.csv: no such file" in _refused(tmp_path, "text: text, label: label")
