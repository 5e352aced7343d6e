"""Changes of a space's document: holes that are filled, losses that are switched off."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from automl_kd.core import UserError, unknown
from automl_kd.recipes import tree
from automl_kd.recipes.documents import parse_text
from automl_kd.recipes.schema import Recipe

SPACE_FIELDS = ("description", "search_epochs", "halving", "starts")
"""The fields of a space that no recipe has."""
_LOSSES = ("distill", "losses")


def pin(document: Mapping[str, Any], text: str) -> Any:
    """The document with the value at a path set: a hole filled, a constant changed, a field added.

    Below ``one_of`` the pin applies to every alternative; where it contradicts a constant that tells alternatives
    apart (``student.family=resnet``), only those that agree are left, and of those that it makes equal one.

    Raises:
        UserError: If the text is not ``path=value`` or its path does not lead anywhere.
    """
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise UserError(f"--set {text}: write path=value, for example student.width=0.5")
    keys = path.strip().split(".")
    if keys[0] not in (*Recipe.model_fields, *SPACE_FIELDS):
        raise unknown(f"field in --set {text}:", keys[0], [*Recipe.model_fields, *SPACE_FIELDS])
    pinned = _pinned(document, keys, parse_text(value, f"--set {text}"), inside=False)
    if pinned is tree.ABSENT:
        raise UserError(f"--set {text}: no alternative of the space fits")
    return pinned


def _pinned(node: Any, keys: Sequence[str], value: Any, *, inside: bool) -> Any:
    """The node with a value set below it; ABSENT where the path does not lead there.

    ``inside`` an alternative, a word that differs (``family``) means another alternative, not a change.
    """
    if isinstance(node, Mapping) and "one_of" in node:
        tried = [_pinned(each, keys, value, inside=True) for each in node["one_of"]]
        left = [each for row, each in enumerate(tried) if each is not tree.ABSENT and each not in tried[:row]]
        return tree.ABSENT if not left else left[0] if len(left) == 1 else {"one_of": left}
    if isinstance(node, Mapping) and "optional" in node and keys:
        return _pinned(node["optional"], keys, value, inside=inside)
    if not keys:
        other = inside and isinstance(node, str) and isinstance(value, str) and node != value
        return tree.ABSENT if other else value
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            return tree.ABSENT
        child = _pinned(node[int(key)], rest, value, inside=inside)
        return tree.ABSENT if child is tree.ABSENT else [*node[: int(key)], child, *node[int(key) + 1 :]]
    if not isinstance(node, Mapping) or tree.is_hole(node):
        return tree.ABSENT
    if not rest and value is None:
        return {name: data for name, data in node.items() if name != key}
    child = _pinned(node.get(key, {}), rest, value, inside=inside)
    return tree.ABSENT if child is tree.ABSENT else {**node, key: child}


def losses_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The losses that a document with holes names."""
    return frozenset(_names(document, _LOSSES))


def without_losses(document: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The document without these losses wherever they may be left out.

    Of several alternatives those that have one of them always are left out, unless all do; where there are no
    alternatives such a loss stays.
    """
    found = _without(document, _LOSSES, names)
    return dict(document) if found is tree.ABSENT else found


def _names(node: Any, path: Sequence[str]) -> set[str]:
    if not isinstance(node, Mapping):
        return set()
    if "one_of" in node:
        return {name for each in node["one_of"] for name in _names(each, path)}
    if path:
        return _names(node.get(path[0]), path[1:])
    return {name for name, part in node.items() if part is not None}


def _without(node: Any, path: Sequence[str], names: Collection[str]) -> Any:
    """The node without the losses that are below the path; ABSENT where it always has one of them."""
    if not isinstance(node, Mapping):
        return node
    if "one_of" in node:
        tried = [_without(each, path, names) for each in node["one_of"]]
        left = [each for row, each in enumerate(tried) if each is not tree.ABSENT and each not in tried[:row]]
        return tree.ABSENT if not left else left[0] if len(left) == 1 else {**node, "one_of": left}
    if not path:
        always = any(name in names and not _is_optional(part) for name, part in node.items())
        return tree.ABSENT if always else {name: part for name, part in node.items() if name not in names}
    child = _without(node.get(path[0]), path[1:], names)
    return tree.ABSENT if child is tree.ABSENT else {**node, path[0]: child} if path[0] in node else node


def _is_optional(part: Any) -> bool:
    if isinstance(part, Mapping):
        return "optional" in part or any(each is None for each in part.get("one_of", ()))
    return part is None
