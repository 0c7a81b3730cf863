"""Says on each ReleasePolicy whether it can be applied: Ready, or why not and what to do.

Looked at when a policy or what it refers to changes, and with every resync. Nothing is written
unless what is to be said differs from what is there.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from pydantic import ValidationError

from immutablerelease.api.base import first_problem
from immutablerelease.api.conditions import Condition, ConditionType, Status, set_condition
from immutablerelease.api.policy import Policy, PolicyStatus
from immutablerelease.verification.errors import RulesUnavailable, VerificationError
from immutablerelease.verification.trust import Trust

from .client import POLICIES, Api, ApiError, NotFound, Object
from .queue import WorkQueue
from .store import Store
from .trust import TrustReader

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 2048
_SOUND = "Usable"
_SOUND_MESSAGE = "its keys, names, rules and trust roots can be used"


class Judge(Protocol):
    """What verifies by policies."""

    async def require_sound(self, policy: Policy, trust: Trust) -> None:
        """That the policy can be applied; raises VerificationError."""


class PolicyStatuses:
    """The one writer of the statuses of policies."""

    def __init__(
        self,
        api: Api,
        store: Store,
        *,
        trust: TrustReader,
        judge: Judge,
        queue: WorkQueue[str],
        now: Callable[[], datetime],
        leading: Callable[[], bool],
    ) -> None:
        """`leading` says whether this process may write at this very moment."""
        self._api = api
        self._store = store
        self._trust = trust
        self._judge = judge
        self._queue = queue
        self._now = now
        self._leading = leading

    async def handle(self, name: str) -> None:
        """Look at the policy of that name; what cannot be found out now is tried again."""
        obj = self._store.get(POLICIES, "", name)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._queue.cancel(name)
            return
        try:
            await self._write(obj, await self._found(obj))
        except (ApiError, RulesUnavailable) as error:
            log.warning("ReleasePolicy %s: %s; %s", name, error, error.advice)
            self._queue.add_rate_limited(name)
        except Exception:
            log.exception("ReleasePolicy %s: unexpected failure", name)
            self._queue.add_rate_limited(name)
        else:
            self._queue.forget(name)

    async def _found(self, obj: Object) -> tuple[Status, str, str]:
        """Status, reason and message."""
        try:
            policy = Policy.read({**obj, "status": {}})
            await self._judge.require_sound(policy, await self._trust.read([policy]))
        except ValidationError as error:
            told = f"spec.{first_problem(error)}; correct it, or install the version that knows it"
            return Status.FALSE, "InvalidPolicy", told
        except RulesUnavailable:
            raise
        except VerificationError as error:
            return Status.FALSE, error.reason, error.diagnostics()
        return Status.TRUE, _SOUND, _SOUND_MESSAGE

    async def _write(self, obj: Object, found: tuple[Status, str, str]) -> None:
        status, reason, message = found
        before = _read_status(obj)
        generation = obj["metadata"].get("generation", 0)
        condition = Condition(
            type=ConditionType.READY,
            status=status,
            reason=reason,
            message=message[:_LONGEST_MESSAGE],
            observed_generation=generation,
            last_transition_time=self._now(),
        )
        after = PolicyStatus(
            observed_generation=generation,
            conditions=set_condition(before.conditions, condition, now=self._now()),
        )
        if after == before or not self._leading():
            return
        name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
        body: dict[str, Any] = {
            "apiVersion": POLICIES.api_version,
            "kind": POLICIES.kind,
            # Another policy may have the name by now.
            "metadata": {"name": name, "uid": uid},
            "status": after.wire(),
        }
        try:
            self._store.put(
                POLICIES, await self._api.apply(POLICIES, "", body, subresource="status")
            )
        except NotFound:
            # Deleted meanwhile: there is nothing left to tell about.
            return
        if status is Status.FALSE:
            log.warning("ReleasePolicy %s cannot be applied: %s: %s", name, reason, message)


def _read_status(obj: Object) -> PolicyStatus:
    try:
        return PolicyStatus.model_validate(obj.get("status") or {})
    except ValidationError:
        return PolicyStatus()
