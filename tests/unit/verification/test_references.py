"""Image references: each means one repository, or is refused."""

import pytest

from immutablerelease.verification.errors import InvalidReference
from immutablerelease.verification.reference import is_digest, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "name", "tag", "digest"),
    [
        ("nginx", "docker.io/library/nginx", "latest", None),
        ("nginx:1.25", "docker.io/library/nginx", "1.25", None),
        (f"nginx@{DIGEST}", "docker.io/library/nginx", None, DIGEST),
        (f"nginx:1.25@{DIGEST}", "docker.io/library/nginx", "1.25", DIGEST),
        ("team/app", "docker.io/team/app", "latest", None),
        ("docker.io/nginx", "docker.io/library/nginx", "latest", None),
        ("index.docker.io/nginx", "docker.io/library/nginx", "latest", None),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx", "latest", None),
        ("docker.io:443/library/nginx", "docker.io/library/nginx", "latest", None),
        ("registry.example/app", "registry.example/app", "latest", None),
        ("registry.example:443/app", "registry.example/app", "latest", None),
        ("registry.example:5000/a/b/c:v1", "registry.example:5000/a/b/c", "v1", None),
        ("registry:5000/app", "registry:5000/app", "latest", None),
        ("registry/app", "docker.io/registry/app", "latest", None),
        ("localhost/app", "localhost/app", "latest", None),
        ("localhost:5000/app", "localhost:5000/app", "latest", None),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app", "latest", None),
        ("[::1]:5000/app", "[::1]:5000/app", "latest", None),
        ("[2001:db8::1]/app", "[2001:db8::1]/app", "latest", None),
        ("app:5000", "docker.io/library/app", "5000", None),
        ("r.example/a_b/c__d/e-f/g--h/i.j", "r.example/a_b/c__d/e-f/g--h/i.j", "latest", None),
        ("3scale.example/app", "3scale.example/app", "latest", None),
        ("registry.example/app:" + "t" * 128, "registry.example/app", "t" * 128, None),
    ],
)
def test_an_image_names_a_repository(
    image: str, name: str, tag: str | None, digest: str | None
) -> None:
    reference = parse_reference(image)
    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)


def test_a_pinned_image_keeps_the_port_that_was_written() -> None:
    reference = parse_reference("registry.example:443/app")
    assert reference.by_digest(DIGEST) == f"registry.example:443/app@{DIGEST}"


@pytest.mark.parametrize(
    "image",
    [
        "",
        "/",
        "/app",
        "app/",
        "a//b",
        ":tag",
        "app:",
        "app:-tag",
        "app:a b",
        "app:" + "t" * 129,
        "app@",
        "app@sha256:abc",
        f"app@{DIGEST.upper()}",
        f"app@sha512:{'a' * 128}",
        f"app@{DIGEST}@{DIGEST}",
        f"app@{DIGEST}\n",
        "NGINX",
        "Docker.io/library/nginx",
        "registry.example/Team/app",
        "registry.example:/app",
        "registry.example:0/app",
        "registry.example:0443/app",
        "registry.example:65536/app",
        "registry.example:443:443/app",
        "registry.example./app",
        "registry..example/app",
        "-registry.example/app",
        "registry.example/../app",
        "registry.example/.app",
        "registry.example/app.",
        "registry.example/a___b",
        "registry.example/app?x=1",
        "registry.example/app#x",
        "registry.example/%2e%2e/app",
        "registry.example\\app",
        "user@registry.example/app",
        "user:password@registry.example/app",
        "https://registry.example/app",
        " nginx",
        "nginx ",
        "ngi\tnx",
        "ngi\x00nx",
        "nginх",  # noqa: RUF001 - a Cyrillic letter
        "rеgistry.example/app",  # noqa: RUF001 - a Cyrillic letter
        "registry.example/app\u200b",
        "registry\u3002example/app",
        "127.1/app",
        "127.1:5000/app",
        "0177.0.0.1/app",
        "2130706433.0/app",
        "0x7f.0.0.1/app",
        "127.0.0.0x1/app",
        "127.000.000.001/app",
        "256.0.0.1/app",
        "[0:0:0:0:0:0:0:1]:5000/app",
        "[::1/app",
        "[::ffff:7f00:1]:5000/app",
        "[127.0.0.1]:5000/app",
        "[fe80::1%eth0]/app",
        "registry.example/" + "a" * 250,
        "a/" * 200 + "a",
    ],
)
def test_an_image_that_could_mean_something_else_is_refused(image: str) -> None:
    with pytest.raises(InvalidReference):
        parse_reference(image)


@pytest.mark.parametrize("text", [None, 5, "", "sha256:", DIGEST + "\n", DIGEST[:-1], DIGEST + "a"])
def test_what_is_not_a_digest(text: object) -> None:
    assert not is_digest(text)
