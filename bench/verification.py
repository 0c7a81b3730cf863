"""What verifying an image costs: requests to its registry, and CPU.

    python -m bench.verification [--runs N]

The registry is simulated, in a process of its own, so that its work is not counted. Prints a table
and writes `build/verification-cost.json`. tests/unit/verification/test_cost.py holds the numbers of
requests down.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from immutablerelease.api.policy import Policy
from immutablerelease.verification.access import Access
from immutablerelease.verification.verdict import ImageUse
from immutablerelease.verification.verifier import Verifier
from tests.unit.verification import attesting, signing
from tests.unit.verification.scene import Scene, set_up

RESULT = Path("build/verification-cost.json")
SLSA_POLICY = {"attestations": [attesting.BUILT_HERE], "signature": "Ignored"}
SCAN_POLICY = {
    "attestations": [
        {
            "name": "scanned",
            "predicateType": attesting.VULN,
            "rules": [
                {"expression": "predicate.scanner.result.size() == 0", "message": "no findings"}
            ],
        }
    ],
    "signature": "Ignored",
}


@dataclass(frozen=True)
class Case:
    """Something to measure: what is attached, and what the policy wants."""

    name: str
    attach: Callable[[Scene], object]
    policy: dict[str, Any]
    pods: int = 1
    warm: bool = False


CASES = (
    Case("bundle, cold", lambda scene: scene.bundle(), {}),
    Case("bundle, warm", lambda scene: scene.bundle(), {}, warm=True),
    Case("bundle, 100 Pods at once", lambda scene: scene.bundle(), {}, pods=100),
    Case("simple signing, cold", lambda scene: scene.simple(), {}),
    Case(
        "provenance, cold",
        lambda scene: attesting.attest(scene, attesting.SLSA, attesting.slsa()),
        SLSA_POLICY,
    ),
    Case(
        "scan with a rule, cold",
        lambda scene: attesting.attest(scene, attesting.VULN, {"scanner": {"result": []}}),
        SCAN_POLICY,
    ),
)


@dataclass(frozen=True)
class Cost:
    """What one verification took."""

    case: str
    requests: int
    # Medians, in milliseconds. CPU is that of the operator and the processes it starts.
    cpu_ms: float
    wall_ms: float


def main() -> None:
    """Measure all cases, print them and write them down."""
    parser = argparse.ArgumentParser(prog="python -m bench.verification", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="verifications per case")
    runs = parser.parse_args().runs
    costs = [_measured(case, runs) for case in CASES]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n")
    width = max(len(cost.case) for cost in costs)
    print(f"{'':{width}}  {'requests':>8}  {'CPU ms':>7}  {'wall ms':>7}")
    for cost in costs:
        print(f"{cost.case:{width}}  {cost.requests:8}  {cost.cpu_ms:7.2f}  {cost.wall_ms:7.2f}")
    print(f"\nmedians of {runs}, in {RESULT}")


def _measured(case: Case, runs: int) -> Cost:
    ours, theirs = multiprocessing.Pipe()
    # Spawned, so that it shares nothing with the process that is measured.
    registry = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, CASES.index(case))
    )
    registry.start()
    try:
        return asyncio.run(_verify_often(case, runs, ours))
    finally:
        ours.send(None)
        registry.join()


def _serve(pipe: Connection, number: int) -> None:
    """The registry with its image: says where it is, then how often it was asked."""
    asyncio.run(_serve_case(pipe, CASES[number]))


async def _serve_case(pipe: Connection, case: Case) -> None:
    async with set_up() as scene:
        case.attach(scene)
        policy = signing.policy(signing.key(), registry=scene.registry, **case.policy)
        wire = {"metadata": {"name": "trust"}, "spec": policy.spec.wire()}
        pipe.send((scene.image, wire))
        while await asyncio.to_thread(pipe.recv) is not None:
            pipe.send(len(scene.registry.requests))


async def _verify_often(case: Case, runs: int, pipe: Connection) -> Cost:
    image, wire = pipe.recv()
    policy = Policy.read(wire)
    samples = []
    for _ in range(runs + 1):
        async with Verifier(clock=time.monotonic) as verifier:
            if case.warm:
                await _verify(verifier, image, policy, 1)
            before = _asked(pipe)
            cpu, wall = await _timed(lambda: _verify(verifier, image, policy, case.pods))
            samples.append((_asked(pipe) - before, cpu, wall))
    # The first one imports and compiles.
    counts, cpus, walls = zip(*samples[1:], strict=True)
    if len(set(counts)) != 1:
        raise RuntimeError(f"{case.name}: the number of requests varies: {sorted(set(counts))}")
    return Cost(case.name, counts[0], statistics.median(cpus), statistics.median(walls))


async def _verify(verifier: Verifier, image: str, policy: Policy, pods: int) -> None:
    access = Access.allowed_by([policy], namespace="shop", namespace_labels={})
    verdict = await verifier.verify(
        [ImageUse("app", False, image)] * pods,
        [policy],
        namespace="shop",
        namespace_labels={},
        access=access,
    )
    if verdict.verdict != "Verified":
        raise RuntimeError(f"{verdict.reason}: {verdict.message}")


async def _timed(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    cpu, wall = _cpu(), time.perf_counter()
    await work()
    return (_cpu() - cpu) * 1000, (time.perf_counter() - wall) * 1000


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _asked(pipe: Connection) -> int:
    pipe.send("count")
    return int(pipe.recv())


if __name__ == "__main__":
    main()
