"""Recipes that train on digits in about a second, and a function that has an executor do one job."""

from automl_kd.recipes import Recipe

STUDENT = {"family": "resnet", "depth": 8, "width": 0.25, "stem": {"stride": 2}}


def recipe(**train):
    """A student of digits that learns from the teacher."""
    document = {
        "task": "digits",
        "student": STUDENT,
        "distill": {"losses": {"task": {"weight": 0.5}, "kd": {"weight": 1.0, "temperature": 4.0}}},
        "train": {"epochs": 6, "batch_size": 250, "optimizer": {"name": "adamw"}, "augment": ["crop"]} | train,
    }
    return Recipe.model_validate(document)


def labels_only(**train):
    """The same student without a teacher."""
    return recipe(**train).with_(distill={"losses": {"task": {"weight": 1.0}}})


def answer_of(pool, key, job, timeout=120):
    """Have an idle pool do one job."""
    pool.submit(key, job)
    ((answered, answer),) = pool.wait(timeout)
    assert answered == key
    return answer
