"""A running search seen from outside."""

import sqlite3
import time

from automl_kd.students import build, save_weights


def rows(path, query, *values):
    """What a database of SQLite says while others write; nothing as long as its tables are being made."""
    if not path.exists() or not path.stat().st_size:
        return []
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()


def complete(path):
    """How many trials are finished."""
    return sum(count for (count,) in rows(path, "SELECT count(*) FROM trials WHERE state = 'COMPLETE'"))


def until(condition, *processes, seconds=150):
    """Wait for something while processes live; gives it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        for process in processes:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not come so far"
        time.sleep(0.05)
    return found


def another_teacher(folder):
    """Arguments of a teacher of digits that learned nothing, in a file of the folder."""
    student = {"family": "resnet", "depth": 8, "width": 0.25}
    save_weights(build(student, input_shape=(1, 8, 8), classes=10), folder / "other.safetensors")
    return "--teacher", "other.safetensors@{family: resnet, depth: 8, width: 0.25}"
