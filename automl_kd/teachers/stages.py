"""Where the features of a module that names no stages can be tapped."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from automl_kd.teachers.recording import Call, Size


def find_stages(module: nn.Module, calls: Sequence[Call]) -> tuple[str, ...]:
    """Paths of the stages of a module, in the order in which they run.

    In a network of maps they are the last submodule at each resolution; in a transformer, which has no map behind its
    patch embedding, its repeated blocks.

    Args:
        module: Any module.
        calls: What :func:`automl_kd.teachers.recording.trace` saw of it.
    """
    blocks = _repeated_blocks(module, calls)
    # Within its blocks a transformer has other tensors of four dimensions: queries and keys by head.
    inside = tuple(f"{block}." for block in blocks)
    resolutions = {call.after for call in calls if not call.path.startswith(inside)} - {None, (1, 1)}
    return blocks if blocks and len(resolutions) <= 1 else _last_by_resolution(module, calls)


def _last_by_resolution(module: nn.Module, calls: Sequence[Call]) -> tuple[str, ...]:
    """The last submodule at each resolution.

    Left out are 1x1 maps (gates, pooled features), and all that lies inside a block which itself changes the
    resolution: there the last map of the old resolution is the expansion of the next block, not a result.
    """
    hidden = tuple(f"{path}." for path in _changing_blocks(module, calls))
    last: dict[Size, str] = {}
    for call in calls:
        if call.after is not None and call.after != (1, 1) and not call.path.startswith(hidden):
            last.pop(call.after, None)  # so that the dictionary's order is that of the last run
            last[call.after] = call.path
    return tuple(last.values())


def _changing_blocks(module: nn.Module, calls: Sequence[Call]) -> list[str]:
    """Blocks that make one new resolution; what makes several (a whole backbone) or only chains is a container."""
    blocks = []
    for call in calls:
        before, after = call.before, call.after
        if before == after or None in (before, after) or isinstance(module.get_submodule(call.path), nn.Sequential):
            continue
        inside = f"{call.path}."
        made = {each.after for each in calls if each.path.startswith(inside)} - {None, (1, 1), before}
        if len(made | {after}) == 1:
            blocks.append(call.path)
    return blocks


def _repeated_blocks(module: nn.Module, calls: Sequence[Call]) -> tuple[str, ...]:
    """Members of the outermost lists of two or more modules of one type that all return tokens."""
    tokens = {call.path for call in calls if call.tokens}
    blocks: set[str] = set()
    for path, container in module.named_modules():
        children = dict(container.named_children())
        # By its numbers, too: in an exported program a list has lost its type.
        is_list = isinstance(container, nn.ModuleList | nn.Sequential) or all(name.isdecimal() for name in children)
        members = [f"{path}.{name}" if path else name for name in children]
        within = any(path.startswith(f"{block}.") for block in blocks) or path in blocks
        if is_list and not within and len(members) >= 2 and tokens.issuperset(members):
            blocks.update(members if len({type(child) for child in children.values()}) == 1 else ())
    return tuple(dict.fromkeys(call.path for call in calls if call.path in blocks))
