"""The stories that are told: one behaviour of a release each."""

from immutablerelease.api.action import ActionKind
from immutablerelease.api.strategy import Promotion
from immutablerelease.core.plan import MoveTraffic

from .stage import PAUSES, STEPS, release_spec
from .stories import (
    Story,
    ask,
    both,
    by_gateway,
    dependency,
    deploy,
    distrust,
    evict,
    forge_record,
    http_route_deleted,
    late_gateway,
    late_once_recorded,
    new_policies,
    passing,
    pointed_at,
    prometheus,
    registry,
    shared,
    stuck_endpoints,
    turn,
    unanswered,
    unreadable,
    unseen,
    verdicts_stand,
    verified_every,
    wait,
    weights_changed,
    without_router,
)

REPLACED = Story(
    "a version replaces another and bakes",
    release_spec(preview=1),
    ((wait, 45), (deploy("v2"), 35)),
)
REVERTED_WARM = Story(
    "a version fails its probe after it serves and the warm one takes over",
    release_spec(),
    ((wait, 45), (deploy("v2"), 2), (turn("v2", probe_passes=False), 10)),
)
REVERTED_COLD = Story(
    "all Pods of a version that is good crash and a cold one takes over",
    release_spec(),
    ((wait, 45), (deploy("v2"), 60), (turn("v2", crashes=True), 30)),
)
CANARY = Story(
    "a version replaces another step by step",
    release_spec(steps=STEPS, replicas=4),
    ((wait, 45), (deploy("v2"), 40)),
)
GATEWAY = Story(
    "a version replaces another behind a gateway",
    release_spec(gateway=True),
    ((wait, 45), (deploy("v2"), 40)),
)
GATEWAY_CANARY = Story(
    "a version replaces another step by step behind a gateway",
    release_spec(gateway=True, steps=STEPS, replicas=4),
    ((wait, 45), (deploy("v2"), 40)),
)
GATEWAY_REVERTED = Story(
    "a version fails once it serves behind a gateway",
    release_spec(gateway=True),
    ((wait, 45), (deploy("v2"), 25), (turn("v2", probe_passes=False), 30)),
)
GATEWAY_LATE = Story(
    "a gateway takes its time to know the version that is next",
    release_spec(gateway=True, steps=STEPS, replicas=4),
    (
        (wait, 45),
        (both(deploy("v2"), late_once_recorded("v2", 0)), 20),
        (late_gateway(False), 40),
    ),
)
GATEWAY_LATE_TO_LEAVE = Story(
    "a gateway sends requests to what was left for longer than that is kept warm",
    release_spec(gateway=True, keep_warm=2.0),
    (
        (wait, 45),
        (both(deploy("v2"), late_once_recorded("v2", 100)), 40),
        (late_gateway(False), 40),
    ),
)
GATEWAY_MENDED = Story(
    "the only version there is answers nobody behind a gateway, and the next one mends it",
    release_spec(gateway=True),
    ((wait, 30), (turn("v1", crashes=True), 20), (deploy("v2"), 30)),
)
GATEWAY_TAKEN_OUT = Story(
    "the gateway is taken out of the manifest while a version has a share of its requests",
    release_spec(gateway=True, steps=STEPS, replicas=4),
    ((wait, 45), (both(deploy("v2"), shared("v2", 20), by_gateway(asked=False)), 40)),
)
GATEWAY_PUT_IN = Story(
    "a gateway is put into the manifest while a version has a share of the Pods",
    release_spec(steps=STEPS, replicas=4),
    ((wait, 45), (both(deploy("v2"), shared("v2", 20), by_gateway(asked=True)), 40)),
)
GATEWAY_LATE_AND_TAKEN_OUT = Story(
    "a gateway that still sends requests to what was left is taken out of the manifest",
    release_spec(gateway=True, keep_warm=2.0),
    (
        (wait, 45),
        (both(deploy("v2"), late_once_recorded("v2", 100)), 30),
        (both(by_gateway(asked=False), passing(5), late_gateway(False)), 30),
    ),
)
GATEWAY_WAITS = Story(
    "a version that has half of the requests waits for somebody's word",
    release_spec(gateway=True, steps=PAUSES),
    ((wait, 45), (deploy("v2"), 20)),
)
GATEWAY_POINTED_ELSEWHERE = Story(
    "somebody points a Service behind a gateway at nothing",
    release_spec(gateway=True),
    ((wait, 45), (pointed_at(None), 10)),
)
GATEWAY_TAMPERED = Story(
    "somebody deletes the HTTPRoute, and changes the weights of the next one",
    release_spec(gateway=True),
    ((wait, 45), (deploy("v2"), 20), (http_route_deleted(), 10), (weights_changed(), 20)),
)
ISTIO = Story(
    "a version replaces another in a mesh",
    release_spec(istio=True),
    ((wait, 45), (deploy("v2"), 60)),
)
ISTIO_CANARY = Story(
    "a version replaces another step by step in a mesh",
    release_spec(istio=True, steps=STEPS, replicas=4),
    ((wait, 45), (deploy("v2"), 100)),
)
ISTIO_REVERTED = Story(
    "a version fails in a mesh right after it got a share",
    release_spec(istio=True, steps=PAUSES, replicas=4, keep_warm=2.0),
    ((wait, 45), (deploy("v2"), 60), (turn("v2", probe_passes=False), 40)),
)
ISTIO_TAKEN_OUT = Story(
    "Istio is taken out of the manifest right after a version lost its share in the mesh",
    release_spec(istio=True, steps=PAUSES, replicas=4, keep_warm=2.0),
    (
        (wait, 45),
        (deploy("v2"), 60),
        (both(turn("v2", probe_passes=False), passing(5), without_router()), 40),
    ),
)
ISTIO_LEFT_COLD = Story(
    "what was left in a mesh is not kept warm for as long as its proxies may take",
    release_spec(istio=True, keep_warm=2.0),
    ((wait, 45), (deploy("v2"), 80)),
)
CANARY_REVERTED = Story(
    "a version fails its probe while it has a share",
    release_spec(steps=PAUSES, replicas=4),
    ((wait, 45), (deploy("v2"), 20), (turn("v2", probe_passes=False), 30)),
)
CANARY_CRASHES = Story(
    "all Pods of a version crash while it has a share",
    release_spec(steps=PAUSES, replicas=4),
    ((wait, 45), (deploy("v2"), 20), (turn("v2", crashes=True), 30)),
)
CANARY_BY_HAND = Story(
    "a canary waits, goes on by somebody's word, and the next one is aborted",
    release_spec(steps=PAUSES, replicas=4),
    (
        (wait, 45),
        (deploy("v2"), 20),
        (ask(ActionKind.PROMOTE), 20),
        (deploy("v3"), 30),
        (ask(ActionKind.ABORT), 20),
    ),
)
CANARY_SUPERSEDED = Story(
    "a newer version takes the place of a canary",
    release_spec(steps=PAUSES, replicas=4),
    ((wait, 45), (deploy("v2"), 20), (deploy("v3"), 30)),
)
CANARY_SHARED_DEPENDENCY = Story(
    "a dependency of both versions of a canary is down for a while",
    release_spec(steps=PAUSES, replicas=4),
    ((wait, 45), (deploy("v2"), 20), (dependency(up=False), 15), (dependency(up=True), 15)),
)
SIGNED_LATER = Story(
    "a version that is not signed is signed and tried again",
    release_spec(),
    (
        (both(turn("v2", signed=False), wait), 2),
        (deploy("v2"), 2),
        (turn("v2", signed=True), 2),
        (ask(ActionKind.RETRY), 6),
    ),
)
BY_HAND = Story(
    "a tested version is promoted by hand, the next one aborted",
    release_spec(promotion=Promotion.MANUAL),
    (
        (wait, 2),
        (ask(ActionKind.PROMOTE), 2),
        (deploy("v2"), 5),
        (ask(ActionKind.PROMOTE), 2),
        (deploy("v3"), 5),
        (ask(ActionKind.ABORT), 5),
    ),
)
ROLLED_BACK = Story(
    "a rollback to a version that is scaled down stops the candidate",
    release_spec(),
    (
        (wait, 45),
        (deploy("v2"), 60),
        (both(turn("v3", start_seconds=30.0), deploy("v3")), 2),
        (ask(ActionKind.ROLLBACK, "v1"), 15),
    ),
)
SEVERAL_ACTIONS = Story(
    "several actions are asked for at once",
    release_spec(),
    (
        (wait, 45),
        (deploy("v2"), 2),
        (both(ask(ActionKind.ROLLBACK), ask(ActionKind.RETRY), ask(ActionKind.PROMOTE)), 20),
    ),
)
FORGOTTEN = Story(
    "old versions are forgotten beyond the limit",
    release_spec(history=0),
    ((wait, 2), (deploy("v2"), 2), (deploy("v3"), 35), (deploy("v4"), 50)),
)
NOT_YET_VERIFIED = Story(
    "the registry is down when a version is to be verified",
    release_spec(),
    (
        (wait, 5),
        (both(deploy("v2"), passing(2), registry(up=False)), 20),
        (registry(up=True), 5),
    ),
)
FORGED = Story(
    "somebody forges the record in favour of a version that was refused",
    release_spec(),
    ((both(turn("v2", signed=False), wait), 5), (deploy("v2"), 5), (forge_record("v2"), 5)),
)
POINTED_ELSEWHERE = Story(
    "somebody points the Service at what was reverted",
    release_spec(),
    (
        (wait, 45),
        (deploy("v2"), 2),
        (turn("v2", probe_passes=False), 5),
        (pointed_at("v2"), 5),
    ),
)
STUCK_ENDPOINTS = Story(
    "endpoints name what was left long after",
    release_spec(keep_warm=0.0),
    (
        (wait, 45),
        (both(stuck_endpoints(stuck=True), deploy("v2")), 45),
        (stuck_endpoints(stuck=False), 5),
    ),
)
SILENT_SERVER = Story(
    "nobody knows that the traffic moved when the spec changes again",
    release_spec(),
    (
        (wait, 45),
        (
            both(
                stuck_endpoints(stuck=True),
                deploy("v2"),
                unanswered(MoveTraffic),
                deploy("v3"),
                passing(1),
                stuck_endpoints(stuck=False),
            ),
            10,
        ),
    ),
)
NEW_POLICIES = Story(
    "policies change while a version starts and the registry is down",
    release_spec(),
    (
        (both(turn("v2", start_seconds=6.0), wait), 20),
        (both(deploy("v2"), passing(5), registry(up=False), new_policies()), 15),
        (registry(up=True), 10),
    ),
)
FORGED_EARLY = Story(
    "somebody forges the record in favour of a version that is not verified yet",
    release_spec(),
    (
        (wait, 5),
        (both(deploy("v2"), passing(2), registry(up=False)), 5),
        (forge_record("v2"), 10),
        (registry(up=True), 10),
    ),
)
ASKED_IN_TURN = Story(
    "what all versions depend on is down, and the one that serves is asked first",
    release_spec(probe_interval=4.0, probe_threshold=1),
    (
        (wait, 45),
        (both(deploy("v2"), passing(16), dependency(up=False), passing(8), dependency(up=True)), 5),
    ),
)
ASKED_LAST = Story(
    "what all versions depend on is up again, and the one that serves is asked last",
    release_spec(probe_interval=4.0, probe_threshold=1),
    (
        (wait, 45),
        (both(deploy("v2"), passing(14), dependency(up=False), passing(9), dependency(up=True)), 5),
    ),
)
SHARED_DEPENDENCY = Story(
    "what all versions depend on is down for a while",
    release_spec(),
    (
        (wait, 45),
        (both(deploy("v2"), passing(12), dependency(up=False), passing(9), dependency(up=True)), 5),
    ),
)
NEVER_STARTS = Story(
    "a version never becomes ready",
    release_spec(),
    ((wait, 5), (both(turn("v2", starts=False), deploy("v2")), 70)),
)
ASKED_TOO_LATE = Story(
    "a rollback is asked for while the operator reverts",
    release_spec(keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 30),
        (deploy("v3"), 2),
        (both(turn("v3", probe_passes=False), passing(2), ask(ActionKind.ROLLBACK)), 5),
    ),
)

NEVER_WELL = Story(
    "all Pods are made anew, become ready and never pass the probe",
    release_spec(keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 2),
        (both(turn("v2", start_seconds=6.0, probe_passes=False), evict("v2")), 30),
    ),
)
NOBODY_HOME = Story(
    "all Pods of a tested version are evicted unseen when it is promoted",
    release_spec(promotion=Promotion.MANUAL, probed=False),
    (
        (wait, 2),
        (ask(ActionKind.PROMOTE), 2),
        (deploy("v2"), 5),
        (both(unseen(evict("v2")), ask(ActionKind.PROMOTE)), 10),
    ),
)
REVOKED_WARM = Story(
    "what serves is trusted by nobody any more and the version before takes over",
    release_spec(),
    ((wait, 45), (deploy("v2"), 2), (distrust("v2", revert=True), 10)),
)
REVOKED_COLD = Story(
    "what serves is trusted by nobody any more and the version before is started",
    release_spec(),
    ((wait, 45), (deploy("v2"), 60), (distrust("v2", revert=True), 30)),
)
REVOKED_ALL = Story(
    "nothing that ever served is trusted any more, then it is again",
    release_spec(),
    ((wait, 45), (deploy("v2"), 25), (distrust("v1", "v2", revert=True), 20), (distrust(), 20)),
)
REFUSED_AND_TOLD = Story(
    "what serves is trusted by nobody any more and nothing but words follows",
    release_spec(),
    ((wait, 45), (deploy("v2"), 25), (distrust("v2"), 20)),
)
REFUSED_BEFORE = Story(
    "the version before is trusted by nobody any more when what serves fails",
    release_spec(keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 25),
        (distrust("v1"), 10),
        (turn("v2", probe_passes=False), 20),
    ),
)
UNSURE = Story(
    "what serves is trusted by nobody any more and signatures of the version before are unreadable",
    release_spec(keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 25),
        (both(unreadable("v1"), distrust("v2", revert=True)), 20),
    ),
)
SIGNATURE_GONE = Story(
    "the signature of what serves is deleted and comes back after the traffic left",
    release_spec(),
    (
        (verified_every(20.0, revert=True), 45),
        (deploy("v2"), 25),
        (turn("v2", signed=False), 40),
        (turn("v2", signed=True), 60),
        (verdicts_stand(), 30),
    ),
)

MEASURED_BADLY = Story(
    "a version that its Pods make look well is measured badly",
    release_spec(measured=True, keep_warm=900.0),
    ((wait, 45), (both(turn("v2", measured_well=False), deploy("v2")), 20), (deploy("v3"), 45)),
)
TURNS_BAD = Story(
    "what was good is measured badly, and what takes the traffic back as well",
    release_spec(measured=True, keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 45),
        (deploy("v3"), 45),
        (both(*(turn(version, measured_well=False) for version in ("v1", "v2", "v3"))), 60),
    ),
)
NOTHING_MEASURED = Story(
    "Prometheus is down while a version serves that is not good yet, and while the next one waits",
    release_spec(measured=True, keep_warm=900.0),
    (
        (wait, 45),
        (deploy("v2"), 15),
        (prometheus(up=False), 15),
        (deploy("v3"), 90),
        (prometheus(up=True), 40),
    ),
)

STORIES = (
    MEASURED_BADLY,
    TURNS_BAD,
    NOTHING_MEASURED,
    REPLACED,
    REVERTED_WARM,
    REVERTED_COLD,
    CANARY,
    GATEWAY,
    GATEWAY_CANARY,
    GATEWAY_REVERTED,
    GATEWAY_LATE,
    GATEWAY_LATE_TO_LEAVE,
    GATEWAY_MENDED,
    GATEWAY_TAKEN_OUT,
    GATEWAY_PUT_IN,
    GATEWAY_LATE_AND_TAKEN_OUT,
    GATEWAY_TAMPERED,
    GATEWAY_WAITS,
    GATEWAY_POINTED_ELSEWHERE,
    ISTIO,
    ISTIO_CANARY,
    ISTIO_REVERTED,
    ISTIO_TAKEN_OUT,
    ISTIO_LEFT_COLD,
    CANARY_REVERTED,
    CANARY_CRASHES,
    CANARY_BY_HAND,
    CANARY_SUPERSEDED,
    CANARY_SHARED_DEPENDENCY,
    SIGNED_LATER,
    BY_HAND,
    ROLLED_BACK,
    SEVERAL_ACTIONS,
    FORGOTTEN,
    NOT_YET_VERIFIED,
    FORGED,
    FORGED_EARLY,
    NEW_POLICIES,
    ASKED_IN_TURN,
    ASKED_LAST,
    POINTED_ELSEWHERE,
    STUCK_ENDPOINTS,
    SILENT_SERVER,
    SHARED_DEPENDENCY,
    NEVER_STARTS,
    NEVER_WELL,
    NOBODY_HOME,
    ASKED_TOO_LATE,
    REVOKED_WARM,
    REVOKED_COLD,
    REVOKED_ALL,
    REFUSED_AND_TOLD,
    REFUSED_BEFORE,
    UNSURE,
    SIGNATURE_GONE,
)
