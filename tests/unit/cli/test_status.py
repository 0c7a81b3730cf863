"""`kubectl immutable status` and `history` show what is, and what happens next."""

import json
import re
import sys
from textwrap import dedent

import pytest

from immutablerelease.runtime.client import PODS, RELEASES, Forbidden, Kind, NotFound, Object
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import manifest

from .scene import Scene, promoted

Screen = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a known width."""
    monkeypatch.setenv("COLUMNS", "100")


def shown(screen: Screen) -> str:
    return screen.readouterr().out


async def test_a_release_at_rest(capsys: Screen) -> None:
    scene = await promoted()
    assert await scene.call("status", "shop") == 0
    assert shown(capsys) == dedent(
        """\
        shop  Active  in namespace demo
        shop-404c14ca5c serves with 2 of 2 Pods

        Traffic
          100%  ████████████████████████  #2 shop-404c14ca5c

        Conditions
          Ready     True  Active   20s
          Verified  True  Signed   20s  registry.test/app:v2: Signed
          Healthy   True  Healthy  40s  2 Pods ready, all probes pass

        Revisions
          #2 shop-404c14ca5c  Active  serves
             image    registry.test/app:v2  sha256:66e7e04d3df9
             verdict  Verified, Signed
             why      serves; counts as good
             health   2 Pods ready, all probes pass
             Pods     shop-404c14ca5c-0  ready  0 restarts
                      shop-404c14ca5c-1  ready  0 restarts
          #1 shop-c7dad0b559  Superseded  a revert goes here
             image    registry.test/app:v1  sha256:b6ebd5befcbb
             verdict  Verified, Signed
             why      superseded by shop-404c14ca5c
             Pods     shop-c7dad0b559-0  ready  0 restarts
                      shop-c7dad0b559-1  ready  0 restarts

        Next  Nothing. It is watched, and a failure sends the traffic back to #1 shop-c7dad0b559.
        """
    )


async def test_a_release_that_was_refused(capsys: Screen) -> None:
    scene = await promoted()
    scene.outside.refused.add("v3")
    await scene.release("v3")
    assert await scene.call("status", "shop") == 0
    text = shown(capsys)
    assert text.startswith("shop  Rejected  in namespace demo\n")
    assert "  #3 shop-2e06355d5e  Rejected  what the spec asks for\n" in text
    assert "     verdict  Refused, Unsigned\n" in text
    assert text.endswith(
        "Next  Have the image signed, then: kubectl immutable retry shop. Or change the spec to "
        "one that is\n      signed.\n"
    )


async def test_a_candidate_under_way_has_a_deadline(capsys: Screen) -> None:
    scene = await promoted()
    scene.api.sick[scene_name := "shop-2e06355d5e"] = {
        "state": {"waiting": {"reason": "ContainerCreating", "message": "pulling"}}
    }
    await scene.release("v3", 10)
    assert await scene.call("status", "shop") == 0
    text = shown(capsys)
    assert (
        f"     Pods     {scene_name}-0  not ready  0 restarts  app: ContainerCreating, pul" in text
    )
    assert (
        "Next  #3 shop-2e06355d5e is tested once all its Pods are ready, and fails if that takes "
        "longer than\n      4m50s from now.\n" in text
    )


async def test_a_young_revision_says_when_it_counts_as_good(capsys: Screen) -> None:
    scene = await promoted()
    await scene.release("v3", 4)
    await scene.call("status", "shop")
    assert "Next  It counts as good in 6s, if it stays healthy" in shown(capsys)


@pytest.mark.parametrize(
    ("step", "told", "then"),
    [
        (
            {"index": 1, "since": "2026-01-01T00:00:40Z", "until": "2026-01-01T00:01:40Z"},
            "step 1 of 2: 25% to the candidate, 1m left",
            "The next step comes in 1m, if every probe passes.",
        ),
        (
            {"index": 1},
            "step 1 of 2: 25% to the candidate, not in effect yet",
            "Step 1 of 2 is being made; it counts once it is in effect.",
        ),
        (
            {"index": 2, "since": "2026-01-01T00:00:10Z", "until": "2026-01-01T00:00:10Z"},
            "step 2 of 2: 25% to the candidate",
            "kubectl immutable promote shop: the candidate gets all of the traffic. Until then it "
            "stays so.",
        ),
        (
            {"index": 2, "since": "2026-01-01T00:00:40Z", "until": "2026-01-01T00:00:50Z"},
            "step 2 of 2: 25% to the candidate, 10s left",
            "It waits for kubectl immutable promote shop in 10s; then the candidate gets all of "
            "the traffic.",
        ),
    ],
    ids=["holding", "being made", "paused", "held before a pause"],
)
async def test_a_step_of_a_canary_is_shown(
    capsys: Screen, step: Object, told: str, then: str
) -> None:
    steps = [{"weight": 25, "hold": "1m"}, {"weight": 50, "hold": "10s", "pause": True}]
    scene = await promoted()
    release = scene.api.release()
    status = {
        **release["status"],
        "traffic": [
            {"revision": scene.revision("v2"), "weight": 75},
            {"revision": scene.revision("v1"), "weight": 25},
        ],
        "step": {"count": 2, "weight": 25, **step},
    }
    spec = {**release["spec"], "strategy": {"canary": {"steps": steps}}}
    scene.api.put(RELEASES, {**release, "status": status, "spec": spec})
    scene.api.release()["status"]["observedGeneration"] = 3
    assert await scene.call("status", "shop") == 0
    text = shown(capsys)
    assert "  75%  ██████████████████░░░░░░  #2 " in text
    assert "  25%  ██████░░░░░░░░░░░░░░░░░░  #1 " in text
    assert f"  {told}\n" in text
    assert " ".join(text.split()).endswith(f"Next {then}")


async def test_a_release_that_is_paused_at_a_step_says_what_unpauses_it(capsys: Screen) -> None:
    scene = await promoted()
    release = scene.api.release()
    ready = {**release["status"]["conditions"][0], "type": "Ready", "reason": "Paused"}
    step = {"count": 2, "weight": 25, "index": 1, "since": "2026-01-01T00:00:40Z"}
    paused = {"phase": "Paused", "conditions": [ready], "step": step}
    status = {**release["status"], **paused}
    spec = {
        **release["spec"],
        "paused": True,
        "strategy": {"canary": {"steps": [{"weight": 25, "pause": True}, {"weight": 50}]}},
    }
    scene.api.put(RELEASES, {**release, "status": status, "spec": spec})
    scene.api.release()["status"]["observedGeneration"] = 3
    assert await scene.call("status", "shop") == 0
    assert shown(capsys).endswith("Next  Set spec.paused to false.\n")


async def test_programs_get_all_of_it(capsys: Screen) -> None:
    scene = await promoted()
    assert await scene.call("status", "shop", "-o", "json") == 0
    answer = json.loads(shown(capsys))
    assert (answer["release"], answer["phase"]) == ("shop", "Active")
    assert answer["traffic"] == [{"revision": scene.revision("v2"), "weight": 100}]
    assert [revision["number"] for revision in answer["revisions"]] == [2, 1]
    assert answer["revisions"][0]["pods"][0] == {
        "name": "shop-404c14ca5c-0",
        "ready": True,
        "restarts": 0,
        "deleting": False,
    }
    assert answer["next"].startswith("Nothing.")


async def test_agents_are_counted_by_the_nodes(capsys: Screen) -> None:
    """Whatever `replicas` says."""
    scene = Scene(workload="DaemonSet", replicas=7)
    scene.api.nodes = ["a", "b", "c"]
    await scene.operator.run(20)
    assert await scene.call("status") == 0
    assert "   3/3" in shown(capsys)
    assert await scene.call("status", "shop", "-o", "json") == 0
    answer = json.loads(shown(capsys))
    assert (answer["workload"], answer["replicas"], answer["readyReplicas"]) == ("DaemonSet", 3, 3)


async def test_all_releases_in_a_table(capsys: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await promoted()
    other = manifest()
    other["metadata"] = {"name": "cart", "namespace": "else"}
    scene.api.put(RELEASES, other)
    assert await scene.call("status") == 0
    text = shown(capsys)
    assert "shop      Active   100% shop-404c14ca5c   2/2" in text
    assert "cart" not in text
    monkeypatch.setenv("COLUMNS", "140")
    assert await scene.call("status", "-A") == 0
    lines = shown(capsys).splitlines()
    assert lines[0].split() == ["NAMESPACE", "RELEASE", "PHASE", "TRAFFIC", "READY", "AGE", "WHY"]
    assert [line.split()[:3] for line in lines[2:]] == [
        ["demo", "shop", "Active"],
        ["else", "cart", "Pending"],
    ]


async def test_a_namespace_without_releases(capsys: Screen) -> None:
    scene = await promoted()
    assert await scene.call("status", "-n", "empty") == 0
    assert shown(capsys) == "no releases in namespace empty\n"


async def test_who_may_not_see_pods_sees_the_rest(
    capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await promoted()
    list_all = FakeCluster.list

    async def refuse(
        self: FakeCluster, kind: Kind, namespace: str | None, *, selector: str = ""
    ) -> list[Object]:
        if kind is PODS:
            raise Forbidden("pods is forbidden")
        return await list_all(self, kind, namespace, selector=selector)

    monkeypatch.setattr(FakeCluster, "list", refuse)
    assert await scene.call("status", "shop") == 0
    assert "     Pods     2 ready (you may not list Pods)\n" in shown(capsys)


@pytest.mark.parametrize(
    ("error", "told", "advice"),
    [
        (
            NotFound("the server could not find the requested resource"),
            "the cluster does not know ImmutableReleases",
            "install the chart",
        ),
        (
            Forbidden("immutablereleases is forbidden: User jane cannot get"),
            "not allowed: immutablereleases is forbidden",
            "immutable-release-operator-view",
        ),
    ],
    ids=["no CRDs", "forbidden"],
)
async def test_what_goes_wrong_is_said_with_what_to_do(
    capsys: Screen,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: str,
    advice: str,
) -> None:
    async def refuse(*_: object, **__: object) -> Object:
        raise error

    monkeypatch.setattr(FakeCluster, "get", refuse)
    assert await Scene().call("status", "shop") == 1
    first, second = capsys.readouterr().err.splitlines()
    assert told in first
    assert advice in second


async def test_an_object_of_another_version_is_no_traceback(capsys: Screen) -> None:
    scene = await promoted()
    release = scene.api.release()
    scene.api.put(RELEASES, {**release, "status": {**release["status"], "phase": "Dancing"}})
    assert await scene.call("status", "shop") == 1
    assert "ImmutableRelease shop cannot be read: phase:" in capsys.readouterr().err


async def test_history_tells_what_became_of_each_revision(capsys: Screen) -> None:
    scene = await promoted()
    scene.outside.refused.add("v3")
    await scene.release("v3")
    assert await scene.call("history", "shop") == 0
    assert shown(capsys) == dedent(
        """\
        #3 shop-2e06355d5e  Rejected  never served
           image    registry.test/app:v3  sha256:fcde7aebf27f
           verdict  Refused, Unsigned
           why      Unsigned: registry.test/app:v3: Unsigned
        #2 shop-404c14ca5c  Active  serves for 20s
           image    registry.test/app:v2  sha256:66e7e04d3df9
           verdict  Verified, Signed
           why      serves; counts as good
        #1 shop-c7dad0b559  Superseded  served for 20s, left 20s ago
           image    registry.test/app:v1  sha256:b6ebd5befcbb
           verdict  Verified, Signed
           why      superseded by shop-404c14ca5c
        """
    )
    await scene.call("history", "shop", "-o", "json")
    answer = json.loads(shown(capsys))
    assert [item["name"] for item in answer] == [scene.revision(v) for v in ("v3", "v2", "v1")]
    assert answer[1]["activeSince"] == "2026-01-01T00:00:20.000Z"


async def test_evidence_and_source_are_shown(capsys: Screen) -> None:
    scene = await promoted()
    name = ("releaserevisions", "demo", scene.revision("v2"))
    evidence = {
        "container": "app",
        "image": "registry.test/app@sha256:" + "a" * 64,
        "policy": "team",
        "authority": "team",
        "signer": "sha256:" + "b" * 64,
        "format": "Bundle",
        "signature": "sha256:" + "c" * 64,
    }
    source = {"repository": "https://git.test/shop", "commit": "d" * 40, "builder": "ci"}
    scene.api.objects[name]["status"]["verification"] |= {"evidence": [evidence], "source": source}
    for words in (("history", "shop"), ("status", "shop")):
        await scene.call(*words)
        text = shown(capsys)
        assert "verdict  Verified, signed by team (sha256:bbbbbbbbbbbb)\n" in text
        assert "source   https://git.test/shop at dddddddddddd\n" in text


async def test_no_text_of_strangers_moves_the_cursor(capsys: Screen) -> None:
    scene = await promoted()
    attack = "\x1b[2J\x9b1A\u202eevil"
    name = ("releaserevisions", "demo", scene.revision("v2"))
    scene.api.objects[name]["status"]["message"] = attack
    for form in ("text", "json", "yaml"):
        for words in (("history", "shop"), ("status", "shop")):
            await scene.call(*words, "-o", form)
            shown = capsys.readouterr().out
            assert "evil" in shown
            assert not {"\x1b", "\x9b", "\u202e"} & set(shown), form


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, "", True), (True, "1", False), (False, "", False)],
    ids=["on a terminal", "with NO_COLOR", "in a pipe"],
)
async def test_colours_are_for_terminals(
    terminal: bool,
    no_color: str,
    coloured: bool,
    capsys: Screen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = await promoted()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    await scene.call("status", "shop")
    shown = capsys.readouterr().out
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]", shown)) == coloured
    assert terminal or "\x1b" not in shown


async def test_commands_to_copy_find_the_release_again(capsys: Screen) -> None:
    scene = await promoted()
    scene.place = " -n demo"
    scene.outside.refused.add("v3")
    await scene.release("v3")
    await scene.call("status", "shop")
    assert "kubectl immutable retry shop -n demo." in " ".join(shown(capsys).split())
