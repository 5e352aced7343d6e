"""Registries filled from real files: a package that is at home, and installed extensions."""

import sys
import threading

import pytest

from automl_kd.core import Registry, UserError, extension_versions


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes modules to a folder that is on the path, and forgets them after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def written(**modules):
        for name, text in modules.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    yield written
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def install(tmp_path):
    """Writes what an installer leaves of a package: its name, its version and its entry points."""

    def install(package, *modules, version="1.0"):
        folder = tmp_path / f"{package}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        points = "".join(f"{module} = {module}\n" for module in modules)
        (folder / "entry_points.txt").write_text(f"[automl_kd.extensions]\n{points}")

    return install


@pytest.fixture
def colours(written):
    """A registry in a module of its own, whose home is a package with two files."""
    written(
        palette="from automl_kd.core import Registry\n"
        'COLOURS = Registry("colour", home="shades", first=("red",))\n'
        'SHAPES = Registry("shape", home="shapes")\n',
        shades__blue='from palette import COLOURS\nCOLOURS.add("blue", "#00f")\n',
        shades__red='from palette import COLOURS\nCOLOURS.add("red", "#f00")\n',
        shapes__round='from palette import SHAPES\nSHAPES.add("round", 0)\n',
    )
    import palette

    return palette.COLOURS


def test_files_at_home_are_imported_when_something_is_looked_up_and_not_before(colours):
    assert "shades.blue" not in sys.modules
    assert colours["blue"] == "#00f"
    assert list(colours) == ["red", "blue"], "those named first, then by name"
    assert len(colours) == 2
    assert "green" not in colours


def test_an_extension_adds_to_several_registries_and_the_order_of_the_projects_own_stays(colours, written, install):
    written(acme='from palette import COLOURS, SHAPES\nCOLOURS.add("amber", "#fb0")\nSHAPES.add("square", 4)\n')
    install("akd-acme", "acme")
    from palette import SHAPES

    assert dict(SHAPES) == {"round": 0, "square": 4}
    assert list(colours) == ["red", "amber", "blue"]
    assert extension_versions()["akd-acme"] == "1.0"


def test_an_unknown_name_is_told_with_the_nearest(colours):
    with pytest.raises(UserError, match=r"^unknown colour 'rad'; did you mean red\?$"):
        colours.find("rad")


@pytest.mark.parametrize("asked_first", ["COLOURS", "SHAPES"])
def test_a_name_that_is_taken_is_told_of_the_extension_whichever_registry_is_asked_first(
    colours, written, install, asked_first
):
    written(acme='from palette import COLOURS\nCOLOURS.add("red", "#e00")\n')
    install("akd-acme", "acme")
    import palette

    told = r"^extension akd-acme 1.0 \(acme\): colour 'red' of acme is registered by shades.red already; give it anoth"
    for _ in range(2):  # the second time as the first
        with pytest.raises(UserError, match=told):
            list(getattr(palette, asked_first))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module", r"ModuleNotFoundError: No module named 'no_such_module'; mend or uninstall it$"),
        ("1 / 0", r"ZeroDivisionError: division by zero; mend or uninstall it$"),
        ("COLOURS.add('grey')", r"TypeError: .*missing 1 required positional argument: 'thing'; mend or uninstall it$"),
        ("def", r"SyntaxError: .*; mend or uninstall it$"),
    ],
)
def test_an_extension_that_cannot_be_imported_is_one_line_that_names_it(colours, written, install, code, told):
    written(acme=f'from palette import COLOURS\nCOLOURS.add("amber", "#fb0")\n{code}\n')
    install("akd-acme", "acme", version="0.3")
    for _ in range(2):  # the second time as the first
        with pytest.raises(UserError, match=r"^extension akd-acme 0.3 \(acme\) cannot be imported: " + told) as raised:
            colours.find("red")
        assert "\n" not in str(raised.value)


def test_an_extension_that_looks_something_up_is_not_blamed_for_another(colours, written, install):
    written(acme="from palette import SHAPES\nSHAPES['round']\n", zeta="1 / 0")
    install("akd-acme", "acme", "zeta")
    with pytest.raises(
        UserError, match=r"^extension akd-acme 1.0 \(zeta\) cannot be imported: ZeroDivisionError: .*it$"
    ):
        colours.find("red")


def test_an_extension_that_is_not_where_its_entry_point_says_is_told(colours, install):
    install("akd-acme", "acme_of_yesterday")
    with pytest.raises(UserError, match=r"extension akd-acme 1.0 \(acme_of_yesterday\) cannot be imported: ModuleNot"):
        colours.find("red")


def test_a_module_that_is_run_again_replaces_what_it_registered():
    sizes = Registry("size", home="automl_kd.core")
    sizes.add("small", 1)
    sizes.add("small", 2)
    assert sizes["small"] == 2


def test_threads_that_look_something_up_at_once_find_all_of_it(colours, written):
    written(shades__slow='import time\nfrom palette import COLOURS\ntime.sleep(0.3)\nCOLOURS.add("slow", "#888")\n')
    found = []
    threads = [threading.Thread(target=lambda: found.append(list(colours))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["red", "blue", "slow"]] * 4
