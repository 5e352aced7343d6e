"""The rule of privacy: a room imports from another only what that room's ``__init__`` names."""

import ast
from pathlib import Path

import automl_kd

PACKAGE = Path(automl_kd.__file__).parent


def named(room):
    """What a room's ``__init__`` names in ``__all__``."""
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def imports_across(path):
    """Room, and what is imported from it, of every import of another room in a file."""
    room = path.relative_to(PACKAGE).parts[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("automl_kd."):
            _, other, *inner = node.module.split(".")
            if other != room:
                yield from ((other, inner[0]) for _ in [0] if inner) if inner else ((other, n.name) for n in node.names)


def test_rooms_take_from_each_other_only_what_is_named():
    rooms = {path.parent.name: named(path.parent.name) for path in PACKAGE.glob("*/__init__.py")}
    strange = [
        f"{path.relative_to(PACKAGE)} takes {room}.{what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent != PACKAGE
        for room, what in imports_across(path)
        if what not in rooms.get(room, ())
    ]
    assert strange == []


def test_every_room_says_what_it_is_for_in_one_sentence():
    for path in PACKAGE.glob("*/__init__.py"):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert doc, path
        assert doc.splitlines()[0].endswith("."), path


def test_scripts_of_0_1_find_the_errors_where_they_were():
    from automl_kd import errors

    assert (errors.UserError, errors.Interrupted) == (automl_kd.UserError, automl_kd.Interrupted)
