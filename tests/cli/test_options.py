"""The options of a search are the fields of its request, on the command line and in Python."""

import inspect

import pytest

import automl_kd as ak
from automl_kd.cli import main
from automl_kd.cli.options import with_fields


@pytest.fixture
def options_of(capsys):
    """What a verb's help says, by option, each without line breaks."""

    def options_of(verb):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        lines = capsys.readouterr().out.partition("Options:")[2].splitlines()
        options = {}
        for line in lines:
            if line.startswith("  --"):
                name = line.split()[0]
                options[name] = line
            elif line.strip():
                options[name] += f" {line.strip()}"
        return {name: " ".join(text.split()) for name, text in options.items()}

    return options_of


def test_every_field_of_a_request_is_an_option_with_its_description_and_default(options_of):
    options = options_of("search")
    spelled = {"objectives": "--objective", "pins": "--set"}
    for name, field in ak.SearchRequest.model_fields.items():
        text = options.pop(spelled.get(name, f"--{name.replace('_', '-')}"))
        words = field.description.removesuffix(".").replace(" ", "")
        assert words in text.replace(" ", "")
        if not field.is_required() and field.default not in (None, False, ()):
            assert f"[default:{field.default}]" in text.replace(" ", "")
        assert ("[required]" in text) == field.is_required()
    assert options.keys() == {"--dry-run", "--json", "--help"}


def test_verbs_that_share_an_option_say_the_same_of_it(options_of):
    search, worker = options_of("search"), options_of("worker")
    for name in ("--trial-timeout", "--trial-memory", "--allow-code", "--storage"):
        assert worker[name] == search[name]


def test_what_is_written_arrives_in_the_request():
    import typer

    arrived = {}

    @with_fields(ak.SearchRequest)
    def verb(**options):
        arrived.update(options)

    app = typer.Typer()
    app.command()(verb)
    written = "--hw local --budget 3m --set a=1 --set b=2 --objective latency --objective memory --workers 3"
    app([*written.split(), "--stop-when-flat", "--max-latency", "4ms"], standalone_mode=False)
    request = ak.SearchRequest(**arrived)
    assert (request.pins, request.objectives) == (("a=1", "b=2"), ("latency", "memory"))
    assert (request.workers, request.stop_when_flat, request.max_latency) == (3, True, "4ms")
    assert request == ak.SearchRequest(
        hw="local",
        budget="3m",
        pins=["a=1", "b=2"],
        objectives=["latency", "memory"],
        workers=3,
        stop_when_flat=True,
        max_latency="4ms",
    )


def test_the_function_shows_every_option_with_its_default():
    parameters = inspect.signature(ak.search).parameters
    assert list(parameters)[:2] == ["hw", "budget"]
    assert parameters.keys() - {"observer"} == ak.SearchRequest.model_fields.keys()
    assert (parameters["sampler"].default, parameters["workers"].default) == ("known-cost", None)
    inspect.signature(ak.search).bind("jetson-nano", "3m", metric="macro_f1")
    documented = " ".join(inspect.getdoc(ak.search).split())
    for name, field in ak.SearchRequest.model_fields.items():
        assert f"{name}: {field.description}" in documented
    assert documented.index("Args:") < documented.index("Returns:") < documented.index("Raises:")


def test_an_option_that_does_not_exist_is_told_with_the_nearest():
    with pytest.raises(ak.UserError, match="unknown option 'worker'; did you mean workers"):
        ak.search("jetson-nano", "3m", worker=2)
