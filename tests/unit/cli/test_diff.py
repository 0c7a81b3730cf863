"""`kubectl immutable diff` shows what differs, and never what a Secret holds."""

import json
from textwrap import dedent
from typing import Any

import pytest

from immutablerelease.runtime.client import CONFIG_MAPS, REVISIONS, SECRETS, Forbidden, Kind, Object
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import template

from .scene import Scene, promoted

Screen = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


async def with_config() -> Scene:
    """Two versions whose configuration differs."""
    scene = await promoted()
    contents: dict[str, tuple[Kind, dict[str, str]]] = {
        "v1": (CONFIG_MAPS, {"color": "blue", "size": "1\n2\n3"}),
        "v2": (CONFIG_MAPS, {"color": "blue", "size": "1\n2\n4", "new": "yes"}),
    }
    for version, (kind, data) in contents.items():
        name = ("releaserevisions", "demo", scene.revision(version))
        revision = scene.api.objects[name]
        frozen = [
            {"kind": "ConfigMap", "source": "web", "name": f"shop-web-{version}"},
            {"kind": "Secret", "source": "key", "name": f"shop-key-{version}"},
        ]
        env: list[dict[str, Any]] = [{"configMapRef": {"name": f"shop-web-{version}"}}]
        revision["spec"]["config"] = frozen
        revision["spec"]["template"]["spec"]["containers"][0]["envFrom"] = env
        scene.api.put(kind, obj(f"shop-web-{version}", data))
        secret = {"password": f"secret-of-{version}", "user": "dGVhbQ=="}
        scene.api.put(SECRETS, obj(f"shop-key-{version}", secret))
    return scene


def obj(name: str, data: dict[str, str]) -> Object:
    return {"metadata": {"name": name, "namespace": "demo"}, "data": data}


async def test_images_configuration_and_template(capsys: Screen) -> None:
    scene = await with_config()
    assert await scene.call("diff", "shop") == 0
    shown = capsys.readouterr().out
    assert shown == dedent(
        """\
        - #1 shop-c7dad0b559  Superseded
        + #2 shop-404c14ca5c  Active

        Images
          container app
          - registry.test/app:v1  sha256:b6ebd5befcbb
          + registry.test/app:v2  sha256:66e7e04d3df9

        Configuration
          ConfigMap/web new added
          @@ -0,0 +1 @@
          +yes
          ConfigMap/web size changed
          @@ -1,3 +1,3 @@
           1
           2
          -3
          +4
          Secret/key password changed

        Template
          @@ -3,5 +3,5 @@
             - envFrom:
               - configMapRef:
                   name: web
          -    image: registry.test/app:v1
          +    image: registry.test/app:v2
               name: app
        """
    )


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
async def test_no_value_of_a_secret_is_ever_shown(form: str, capsys: Screen) -> None:
    scene = await with_config()
    await scene.call("diff", "shop", "-o", form)
    shown = capsys.readouterr()
    assert "password" in shown.out
    assert "secret-of" not in shown.out + shown.err


async def test_who_may_not_read_secrets_learns_that_they_differ(
    capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await with_config()
    get = FakeCluster.get

    async def refuse(self: FakeCluster, kind: Kind, namespace: str, name: str) -> Object:
        if kind is SECRETS:
            raise Forbidden("secrets is forbidden")
        return await get(self, kind, namespace, name)

    monkeypatch.setattr(FakeCluster, "get", refuse)
    assert await scene.call("diff", "shop") == 0
    assert "Secret/key differs; you may not read which keys" in capsys.readouterr().out


async def test_a_frozen_copy_that_is_gone_is_told(capsys: Screen) -> None:
    scene = await with_config()
    scene.api.remove(SECRETS, "demo", "shop-key-v1")
    assert await scene.call("diff", "shop") == 0
    assert "Secret/key differs; a frozen copy is gone" in capsys.readouterr().out


async def compared(scene: Scene, capsys: Screen, *words: str) -> tuple[str, str]:
    assert await scene.call("diff", "shop", *words, "-o", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    names = {
        obj["metadata"]["name"]: obj["spec"]["images"][0]["source"].rpartition(":")[2]
        for obj in scene.api.of(REVISIONS)
    }
    return names[answer["before"]], names[answer["after"]]


async def test_which_two_are_compared(capsys: Screen) -> None:
    scene = await promoted()
    assert await compared(scene, capsys) == ("v1", "v2")
    assert await compared(scene, capsys, "1") == ("v2", "v1")
    scene.api.change(template=template("v3"), strategy={"blueGreen": {"promotion": "Manual"}})
    await scene.operator.run(3)
    assert await compared(scene, capsys) == ("v2", "v3")
    assert await compared(scene, capsys, "3", scene.revision("v1")) == ("v3", "v1")


async def test_what_is_the_same_is_said_to_be(capsys: Screen) -> None:
    scene = await promoted()
    assert await scene.call("diff", "shop", "1", "1") == 0
    assert "The same images, configuration, template, ports and probes." in capsys.readouterr().out


async def test_ports_and_probes_belong_to_a_revision_too(capsys: Screen) -> None:
    scene = await promoted()
    probes = [{"name": "api", "http": {"path": "/healthz", "port": "http"}}]
    health = {**scene.api.release()["spec"]["health"], "probes": probes}
    scene.api.change(template=template("v3"), health=health)
    await scene.operator.run(3)
    assert await scene.call("diff", "shop") == 0
    shown = capsys.readouterr().out
    assert "Ports and probes\n" in shown
    assert "-    path: /\n  +    path: /healthz\n" in shown


async def test_a_job_is_told_from_a_container_of_the_same_name(capsys: Screen) -> None:
    scene = await promoted()
    for version, digest in (("v1", "1"), ("v2", "2")):
        spec = scene.api.objects[("releaserevisions", "demo", scene.revision(version))]["spec"]
        image = f"registry.test/smoke@sha256:{digest * 64}"
        used = {"container": "app", "job": "smoke", "source": "registry.test/smoke:1"}
        spec["images"] = [*spec["images"], {**used, "image": image}]
        job = {"spec": {"containers": [{"name": "app", "image": image, "args": [version]}]}}
        spec["jobs"] = [{"name": "smoke", "template": job}]
    assert await scene.call("diff", "shop") == 0
    shown = capsys.readouterr().out
    assert "  container app\n  - registry.test/app:v1" in shown
    assert f"  container app of job smoke\n  - registry.test/smoke:1  sha256:{'1' * 12}" in shown
    assert "-        - v1\n" in shown


async def test_an_only_revision_has_nothing_to_be_compared_with(capsys: Screen) -> None:
    scene = Scene()
    await scene.operator.run(20)
    assert await scene.call("diff", "shop") == 1
    assert "is the only revision of shop that served" in capsys.readouterr().err


async def test_a_revision_that_is_not_kept_is_told(capsys: Screen) -> None:
    scene = await promoted()
    assert await scene.call("diff", "shop", "7") == 1
    assert "shop has no revision 7" in capsys.readouterr().err
