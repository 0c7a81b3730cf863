"""Work in the background: kept as long as it is wanted, repeated as long as it must be."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from immutablerelease.api.objects import Release
from immutablerelease.core.plan import Plan, Resolve, Verify
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved, VerdictView
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.work import Work
from tests.unit.health.virtual_time import Time
from tests.unit.shell.harness import KEY, manifest

SNAPSHOT = Snapshot(Release.read(manifest()), "h1")
RESOLVE = Plan(resolve=Resolve("h1"))
VERIFY = Plan(verify=(Verify("shop-1", "p1"),))
NOTHING = Plan()


def verdict(kind: str, policies: str = "p1") -> VerdictView:
    return VerdictView(kind, "Reason", "words", policies, datetime(2026, 1, 1, tzinfo=UTC))


class Setting:
    """Work whose answers are scripted, and a controller that asks for it again and again."""

    def __init__(self) -> None:
        self.time = Time()
        # Answers to be given one after the other; the last one again and again.
        self.resolutions: Sequence[Resolution | Unresolved | Exception] = [Resolution("h1", {}, ())]
        self.verdicts: Sequence[VerdictView | Exception] = [verdict("Verified")]
        self.takes = 0.0
        self.asked: list[float] = []
        self.cancelled = 0
        self.told: list[Key] = []
        self.work = Work(
            resolve=self.resolve,
            verify=self.verify,
            on_result=self.told.append,
            jitter=random.Random(7),  # noqa: S311
            sleep=self.time.sleep,
        )

    async def resolve(self, snapshot: Snapshot) -> Resolution | Unresolved:
        answer = self.resolutions[min(len(self.asked), len(self.resolutions) - 1)]
        await self.busy()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Resolution):
            return replace(answer, template_hash=snapshot.template_hash)
        return answer

    async def verify(self, snapshot: Snapshot, request: Verify) -> VerdictView:
        answer = self.verdicts[min(len(self.asked), len(self.verdicts) - 1)]
        await self.busy()
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, policies=request.policies)

    async def busy(self) -> None:
        self.asked.append(self.time.now)
        try:
            if self.takes:
                await self.time.sleep(self.takes)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def ask(self, plan: Plan, seconds: float = 0.0, template_hash: str = "h1") -> None:
        self.work.begin(KEY, plan, replace(SNAPSHOT, template_hash=template_hash))
        await self.time.pass_(seconds)

    async def keep_asking(self, plan: Plan, times: int) -> None:
        """As the controller does: each result leads to another plan, which is applied in full."""
        for _ in range(times):
            self.told.clear()
            await self.ask(plan)
            while not self.told:
                await self.time.pass_(1)
            self.work.end(KEY, plan)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    setting = Setting()
    yield setting
    await setting.work.close()


async def test_nothing_is_known_of_what_was_never_asked(setting: Setting) -> None:
    assert setting.work.resolution(KEY) is None
    assert setting.work.verdicts(KEY) == {}
    setting.work.end(KEY, NOTHING)
    setting.work.forget(KEY)


async def test_a_result_is_told_and_kept_until_a_plan_that_used_it_was_applied(
    setting: Setting,
) -> None:
    await setting.ask(RESOLVE)
    assert setting.told == [KEY]
    await setting.ask(NOTHING)
    assert isinstance(setting.work.resolution(KEY), Resolution), "the plan may not be applied yet"
    setting.work.end(KEY, NOTHING)
    assert setting.work.resolution(KEY) is None


async def test_a_verdict_is_kept_until_a_plan_that_used_it_was_applied(setting: Setting) -> None:
    await setting.ask(VERIFY)
    assert setting.told == [KEY]
    await setting.ask(NOTHING)
    assert setting.work.verdicts(KEY) == {"shop-1": verdict("Verified")}
    setting.work.end(KEY, NOTHING)
    assert setting.work.verdicts(KEY) == {}


async def test_what_is_under_way_or_decided_is_not_begun_again(setting: Setting) -> None:
    setting.takes = 5
    for _ in range(3):
        await setting.ask(Plan(resolve=Resolve("h1"), verify=(Verify("shop-1", "p1"),)), 1)
    await setting.time.pass_(5)
    await setting.ask(Plan(resolve=Resolve("h1"), verify=(Verify("shop-1", "p1"),)), 60)
    assert len(setting.asked) == 2
    assert setting.told == [KEY, KEY]


@pytest.mark.parametrize(
    "plan", [RESOLVE, VERIFY], ids=["a template unresolved", "a verdict unknown"]
)
async def test_what_is_not_settled_is_asked_again_with_pauses_that_double(
    setting: Setting, plan: Plan
) -> None:
    setting.resolutions = [Unresolved("h1", "NotFound", "no such tag")]
    setting.verdicts = [verdict("Unknown")]
    await setting.keep_asking(plan, 12)
    pauses = [later - earlier for earlier, later in pairwise(setting.asked)]
    for pause, longest in zip(pauses, (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300), strict=True):
        assert 0.7 * longest <= pause <= longest + 1


async def test_between_two_tries_the_last_result_stays_known(setting: Setting) -> None:
    setting.verdicts = [verdict("Unknown"), verdict("Verified")]
    await setting.keep_asking(VERIFY, 1)
    await setting.ask(VERIFY, 0.5)
    assert setting.work.verdicts(KEY)["shop-1"].verdict == "Unknown"
    await setting.time.pass_(1)
    assert setting.work.verdicts(KEY)["shop-1"].verdict == "Verified"


async def test_a_refusal_is_an_answer(setting: Setting) -> None:
    setting.verdicts = [verdict("Refused")]
    await setting.keep_asking(VERIFY, 1)
    await setting.ask(VERIFY, 600)
    assert len(setting.asked) == 1


@pytest.mark.parametrize("plan", [RESOLVE, VERIFY], ids=["resolving", "verifying"])
async def test_a_failure_is_no_result_and_is_tried_again(setting: Setting, plan: Plan) -> None:
    setting.resolutions = [RuntimeError("a bug"), Resolution("h1", {}, ())]
    setting.verdicts = [RuntimeError("a bug"), verdict("Verified")]
    await setting.ask(plan)
    assert setting.told == [KEY], "so that somebody asks again"
    assert setting.work.resolution(KEY) is None
    assert setting.work.verdicts(KEY) == {}
    await setting.ask(plan, 0.6)
    assert len(setting.asked) == 1, "not at once"
    await setting.time.pass_(0.5)
    assert setting.work.resolution(KEY) or setting.work.verdicts(KEY)


@pytest.mark.parametrize("plan", [RESOLVE, VERIFY], ids=["resolving", "verifying"])
async def test_what_no_plan_wants_any_more_is_cancelled_and_never_told(
    setting: Setting, plan: Plan
) -> None:
    setting.takes = 5
    await setting.ask(plan, 1)
    setting.work.end(KEY, NOTHING)
    await setting.time.pass_(60)
    assert (setting.cancelled, setting.told) == (1, [])


async def test_a_release_that_is_forgotten_takes_its_work_along(setting: Setting) -> None:
    setting.takes = 5
    await setting.ask(Plan(resolve=Resolve("h1"), verify=(Verify("shop-1", "p1"),)), 1)
    setting.work.forget(KEY)
    await setting.time.pass_(60)
    assert (setting.cancelled, setting.told) == (2, [])
    assert setting.work.verdicts(KEY) == {}


async def test_the_work_of_one_release_is_not_that_of_another(setting: Setting) -> None:
    other = Key("demo", "cart")
    await setting.ask(VERIFY)
    assert setting.work.verdicts(other) == {}
    setting.work.forget(other)
    assert set(setting.work.verdicts(KEY)) == {"shop-1"}


async def test_closing_ends_all_of_it(setting: Setting) -> None:
    setting.takes = 5
    await setting.ask(VERIFY, 1)
    await setting.work.close()
    await setting.time.pass_(60)
    assert (setting.cancelled, setting.told) == (1, [])


async def test_other_policies_are_another_question(setting: Setting) -> None:
    await setting.ask(VERIFY)
    await setting.ask(Plan(verify=(Verify("shop-1", "p2"),)))
    assert len(setting.asked) == 2
    assert setting.work.verdicts(KEY)["shop-1"].policies == "p2"


async def test_of_two_templates_the_one_that_was_asked_for_last_counts(setting: Setting) -> None:
    other = Plan(resolve=Resolve("h2"))
    await setting.ask(RESOLVE)
    setting.takes = 5
    await setting.ask(other, 1, "h2")
    assert setting.work.resolution(KEY) is None, "the result of another template says nothing"
    await setting.time.pass_(5)
    assert getattr(setting.work.resolution(KEY), "template_hash", "") == "h2"
    await setting.ask(RESOLVE)
    assert getattr(setting.work.resolution(KEY), "template_hash", "") == "h1"
