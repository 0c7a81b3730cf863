"""What the environment may say, and what it is told where it says something else."""

from pathlib import Path

import pytest

from immutablerelease import app
from immutablerelease.app import Options
from immutablerelease.health.prometheus import Servers


def test_an_empty_environment_is_enough() -> None:
    options = Options.read({})
    assert options.namespaces == ()
    assert options.port == 8080
    assert options.log_format == "json"
    assert options.namespace == "immutable-release-system"
    assert options.identity, "an identity that differs between processes"


def test_everything_can_be_said() -> None:
    assert Options.read(
        {
            "IRO_WATCH_NAMESPACES": "web,shop",
            "IRO_PORT": "9090",
            "IRO_LOG_FORMAT": "text",
            "IRO_NAMESPACE": "system",
            "IRO_IDENTITY": "operator-0",
            "IRO_PROMETHEUS_URL": "http://prometheus.monitoring:9090",
            "IRO_PROMETHEUS_OTHERS": "https://thanos.example.com/team, http://10.0.0.1:9090",
            "IRO_PROMETHEUS_TOKEN_FILE": "/token",
            "OTHER": "ignored",
        }
    ) == Options(
        ("web", "shop"),
        9090,
        "text",
        "system",
        "operator-0",
        Servers(
            "http://prometheus.monitoring:9090",
            ("https://thanos.example.com/team", "http://10.0.0.1:9090"),
            Path("/token"),
        ),
    )


@pytest.mark.parametrize("variable", ["IRO_NAMESPACE", "IRO_IDENTITY", "IRO_WATCH_NAMESPACES"])
def test_what_is_empty_was_not_said(variable: str) -> None:
    assert Options.read({variable: ""}) == Options.read({})


@pytest.mark.parametrize("names", ["web,shop", " web , shop ", "web,,shop,"])
def test_namespaces_may_be_written_as_people_write_lists(names: str) -> None:
    assert Options.read({"IRO_WATCH_NAMESPACES": names}).namespaces == ("web", "shop")


BAD = {
    "a port that is no number": (
        {"IRO_PORT": "http"},
        "IRO_PORT must be a port number (got 'http')",
    ),
    "an empty port": ({"IRO_PORT": ""}, "IRO_PORT must be a port number (got '')"),
    "a negative port": ({"IRO_PORT": "-1"}, "IRO_PORT must be a port number (got '-1')"),
    "a port that nobody can name": ({"IRO_PORT": "0"}, "IRO_PORT must be a port number (got '0')"),
    "a port that cannot be": (
        {"IRO_PORT": "65536"},
        "IRO_PORT must be a port number (got '65536')",
    ),
    "a format that is not known": (
        {"IRO_LOG_FORMAT": "xml"},
        "IRO_LOG_FORMAT must be json or text (got 'xml')",
    ),
    "a Prometheus without a scheme": (
        {"IRO_PROMETHEUS_URL": "prometheus:9090"},
        "IRO_PROMETHEUS_URL and IRO_PROMETHEUS_OTHERS must be URLs, such as "
        "http://prometheus.monitoring:9090 (got 'prometheus:9090')",
    ),
    "a pattern of namespaces": (
        {"IRO_WATCH_NAMESPACES": "web,team-*"},
        "IRO_WATCH_NAMESPACES must be names of namespaces with commas between them (got 'team-*')",
    ),
    "namespaces without commas": (
        {"IRO_WATCH_NAMESPACES": "web shop"},
        "IRO_WATCH_NAMESPACES must be names of namespaces with commas between them "
        "(got 'web shop')",
    ),
}


@pytest.mark.parametrize(("environment", "sentence"), BAD.values(), ids=BAD.keys())
def test_a_bad_value_is_told_in_one_sentence_and_nothing_starts(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError) as caught:
        Options.read(environment)
    assert str(caught.value) == sentence

    monkeypatch.setattr("os.environ", environment)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == f"immutable-release-operator: {sentence}"
