"""A search goes without the losses of a space that do not suit its task."""

from dataclasses import replace

from automl_kd.recipes import load_space
from automl_kd.studies.loss_check import suited
from automl_kd.tasks import Regression, open_task


def test_losses_that_do_not_suit_the_task_are_switched_off_and_named():
    space, digits = load_space("tiny_cnn"), open_task("digits")
    assert suited(space, "tiny_cnn", digits) == (space, ())

    values = replace(digits, problem=Regression(("value",), mean=(4.5,), std=(2.9,)))
    left, told = suited(space, "tiny_cnn", values)
    assert told == ("space tiny_cnn goes without dist: not for images with real outputs",)
    assert space.losses - left.losses == {"dist"}
    assert "kd" in left.losses


def test_a_loss_that_every_recipe_has_stays_to_be_refused():
    space = load_space("tiny_cnn", ["distill.losses.dkd.weight=1"])
    values = replace(open_task("digits"), problem=Regression(("value",), mean=(4.5,), std=(2.9,)))
    left, told = suited(space, "tiny_cnn", values)
    assert "dkd" in left.losses
    assert "dkd" not in "".join(told)


def test_losses_that_read_answers_go_where_the_teacher_shows_features_alone():
    space, digits = load_space("tiny_cnn"), open_task("digits")
    left, told = suited(space, "tiny_cnn", digits, answered=False)
    assert space.losses - left.losses == {"kd", "dist"}
    assert told == ("space tiny_cnn goes without kd, dist: the teacher shows features and gives no outputs",)
