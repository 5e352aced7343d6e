"""What can be added by one file: named things that register themselves, those of the project and those of others."""

from __future__ import annotations

import functools
import pkgutil
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from automl_kd.core.errors import UserError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

EXTENSIONS = "automl_kd.extensions"
"""The group of entry points by which an installed package names its modules that add something."""

T = TypeVar("T")

# One for all, because filling one registry can look something up in another: two locks could wait for each other.
_LOCK = threading.RLock()


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name: what the modules of one package register, then what installed extensions add.

    The modules are imported when something is first looked up, not before, so that a registry may stand in a room below
    those that fill it. An extension is an installed package with an entry point in the group ``automl_kd.extensions``
    whose value is a module; that module registers what it adds when it is imported, in as many registries as it likes.
    Installing it is the permission to run it, as for any package; a file that a recipe merely names is none
    (``--allow-code``). Every process finds the extensions that are installed where it runs.

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
        self._where: dict[str, str] = {}
        self._home_imported = self._extending = self._extended = False

    def add(self, name: str, thing: T) -> T:
        """Register a thing, and return it; a module that is run again replaces what it registered.

        Raises:
            UserError: If the name is taken by a thing of another module.
        """
        where = str(sys._getframe(1).f_globals.get("__name__"))
        if not f"{where}.".startswith(f"{self._home}."):
            self._import_home()  # first, so that it is another's module that is told that the name is taken
        other = self._where.setdefault(name, where)
        if other != where:
            raise UserError(f"{self.kind} {name!r} of {where} is registered by {other} already; give it another name")
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
        if self._extended:
            return
        with _LOCK:
            self._import_home()
            self._import_extensions()

    def _import_home(self) -> None:
        with _LOCK:
            if self._home_imported:
                return
            # Said first: a module that is imported now may look up what was registered so far.
            self._home_imported = True
            try:
                package = import_module(self._home)
                for module in pkgutil.iter_modules(package.__path__, f"{self._home}."):
                    import_module(module.name)
            except BaseException:
                self._home_imported = False
                raise

    def _import_extensions(self) -> None:
        if self._extended or self._extending:
            return
        self._extending = True
        try:
            for point in _installed(tuple(sys.path)):
                _import_extension(point)
            self._extended = True
        finally:
            self._extending = False


def extension_versions() -> dict[str, str]:
    """Installed packages that add something, by name, with their versions."""
    found = (point.dist for point in _installed(tuple(sys.path)))
    return {dist.name: dist.version for dist in sorted((each for each in found if each), key=lambda each: each.name)}


@functools.lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The extensions that are installed on a path, by name; looked for once: that reads files of every package."""
    from importlib.metadata import entry_points  # a tenth of the time that the package's root takes to import

    return tuple(sorted(entry_points(group=EXTENSIONS), key=lambda each: each.name))


class _BrokenExtension(UserError):
    """One that cannot be imported, by another perhaps, and that is told already."""


def _import_extension(point: EntryPoint) -> None:
    package = point.name if point.dist is None else f"{point.dist.name} {point.dist.version}"
    try:
        import_module(point.module)
    except _BrokenExtension:
        raise
    except UserError as error:
        raise _BrokenExtension(f"extension {package} ({point.value}): {error}") from None
    except Exception as error:  # whatever the module of others does wrong
        reason = (str(error).splitlines() or [""])[0]
        raise _BrokenExtension(
            f"extension {package} ({point.value}) cannot be imported: {type(error).__name__}: {reason}; mend or"
            " uninstall it"
        ) from None
