"""What can be added by one file: named things that register themselves, those of the project and those of others."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from automl_kd.core.errors import UserError, unknown

EXTENSIONS = "automl_kd.extensions"
"""The group of entry points by which an installed package names its modules that add something."""

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name: what the modules of one package register, then what installed extensions add.

    The modules are imported when something is first looked up, not before, so that a registry may stand in a room below
    those that fill it. An extension is an installed package with an entry point in the group ``automl_kd.extensions``
    whose value is a module; that module registers what it adds when it is imported. Installing it is the permission to
    run it, as for any package; a file that a recipe merely names is none (``--allow-code``).

    >>> colours = Registry("colour", home="automl_kd.core", first=("red",))
    >>> colours.add("blue", 2)
    2
    >>> colours.add("red", 1)
    1
    >>> list(colours), colours["blue"]
    (['red', 'blue'], 2)
    >>> colours.find("blu")
    Traceback (most recent call last):
    automl_kd.core.errors.UserError: unknown colour 'blu'; did you mean blue?

    Args:
        kind: What one of them is called in an error, for example ``loss``.
        home: The package whose modules register those of the project.
        first: Names in the order in which they come first; all others follow in the order of their names.
    """

    def __init__(self, kind: str, home: str, first: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self._home = home
        self._first = {name: place for place, name in enumerate(first)}
        self._things: dict[str, T] = {}
        self._filled = False

    def add(self, name: str, thing: T) -> T:
        """Register a thing, and return it.

        Raises:
            UserError: If the name is taken by another thing.
        """
        if self._things.get(name, thing) is not thing:
            raise UserError(f"{self.kind} {name!r} is registered twice; give one of the two another name")
        self._things[name] = thing
        return thing

    def find(self, name: str) -> T:
        """The thing of a name that a user wrote.

        Raises:
            UserError: If there is none, with the nearest names; or if an extension cannot be imported.
        """
        if name not in self:
            raise unknown(self.kind, name, list(self))
        return self[name]

    def __getitem__(self, name: str) -> T:
        self._fill()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(sorted(self._things, key=lambda name: (self._first.get(name, len(self._first)), name)))

    def __len__(self) -> int:
        self._fill()
        return len(self._things)

    def _fill(self) -> None:
        if self._filled:
            return
        # Said first: a module that is imported now may look up what was registered so far.
        self._filled = True
        try:
            package = import_module(self._home)
            for module in pkgutil.iter_modules(package.__path__, f"{self._home}."):
                import_module(module.name)
            for point in sorted(entry_points(group=EXTENSIONS), key=lambda each: each.name):
                _imported(point)
        except BaseException:
            self._filled = False
            raise


def extension_versions() -> dict[str, str]:
    """Installed packages that add something, by name, with their versions."""
    found = (point.dist for point in entry_points(group=EXTENSIONS))
    return {dist.name: dist.version for dist in sorted((each for each in found if each), key=lambda each: each.name)}


def _imported(point: EntryPoint) -> None:
    try:
        import_module(point.value)
    except UserError as error:
        raise UserError(f"extension {point.name}: {error}") from None
    except Exception as error:  # whatever the module of others does wrong
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"extension {point.name} ({point.value}) cannot be imported: {type(error).__name__}: {reason};"
            " mend or uninstall it"
        ) from None
