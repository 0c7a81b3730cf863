"""What each reason of the operator means to a person, and what would change it.

`why` says what is behind the word; `then` says what happens or what to do next. Both may name
`{release}`, `{revision}` (what the reason speaks of), `{active}` and `{good}` (the known-good one).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from immutablerelease.verification.errors import VerificationError


@dataclass(frozen=True)
class Explanation:
    """One reason, explained."""

    why: str
    then: str


_FIX_OR_RETRY = (
    "Change the spec: what is fixed is a new revision. Or, once the cause is gone: "
    "kubectl immutable retry {release}."
)
_SIGN_OR_RETRY = (
    "Have the image signed, then: kubectl immutable retry {release}. Or change the spec to one "
    "that is signed."
)

# Verdict on health, failure of a revision, state of a release: one reason, one entry.
REASONS: Mapping[str, Explanation] = {
    # What a release or its candidate is doing.
    "Active": Explanation(
        "{active} has all the traffic and all its Pods are ready.",
        "A change of spec.template makes a new revision; kubectl immutable rollback {release} goes "
        "back by hand.",
    ),
    "Pending": Explanation(
        "The operator has not come to it yet, or its images are being verified.",
        "This takes seconds. If it stays so, look whether the operator runs.",
    ),
    "Resolving": Explanation(
        "Tags of the spec's images are being resolved to digests, once for this spec.",
        "This takes as long as the registry takes to answer; a revision is recorded then.",
    ),
    "NotRecorded": Explanation(
        "The API server refuses to record a revision of the spec; the message has its words.",
        "Raise the quota, grant the permission or correct the template, whichever it names. It is "
        "tried again by itself, every 5 minutes at the latest.",
    ),
    "Starting": Explanation(
        "Pods of {revision} are being started; it gets no traffic yet.",
        "It is tested as soon as all its Pods are ready, and fails at the end of "
        "health.progressDeadline.",
    ),
    "Testing": Explanation(
        "Pods of {revision} are ready and its probes are asked; it gets no traffic yet.",
        "It gets traffic once every probe passes on every Pod, and fails at the end of "
        "health.progressDeadline.",
    ),
    "Shifting": Explanation(
        "Traffic moves to {revision} step by step.",
        "The next step comes when its hold is over; a failing probe takes all traffic back.",
    ),
    "PortsDiffer": Explanation(
        "A canary without a router shares one Service: one number of a port for all Pods.",
        "Give the containers' ports a name and have targetPort name it, use blueGreen, or set "
        "spec.traffic.gateway or spec.traffic.istio.",
    ),
    "Scaling": Explanation(
        "{active} serves with fewer Pods than it is to have.",
        "It is settled once the missing Pods are ready; the message tells what holds them up.",
    ),
    "Paused": Explanation(
        "spec.paused is true: nothing new is started or promoted. The guard still reverts.",
        "Set spec.paused to false.",
    ),
    "AwaitingPromotion": Explanation(
        "{revision} passed its probes and waits for somebody's word.",
        "kubectl immutable promote {release} gives it the traffic; "
        "kubectl immutable abort {release} drops it.",
    ),
    "Reverting": Explanation(
        "What serves fails, and its place is taken as soon as the revision to go back to runs.",
        "Traffic moves when the Pods of that revision are ready and pass the probes.",
    ),
    "GatewayApiMissing": Explanation(
        "The release asks for a gateway and the cluster has no Gateway API. Its Service "
        "serves all the same.",
        "Install the Gateway API, or take spec.traffic.gateway out; it is found within seconds.",
    ),
    "IstioMissing": Explanation(
        "The release asks for Istio and the cluster does not have its kinds. Its Service serves "
        "all the same.",
        "Install Istio, or take spec.traffic.istio out; it is found within seconds.",
    ),
    "RouteRefused": Explanation(
        "The API server, or a webhook behind it, does not take the route as the release asks for "
        "it. The Service leads to what serves; what the router leads to keeps its Pods.",
        "Correct spec.traffic by the words in the message, or what refuses it; it is tried again "
        "by itself, every 15 seconds at least.",
    ),
    "RouteNotAccepted": Explanation(
        "The route is written, and what is to route by it has not accepted it.",
        "kubectl get httproute {release} -o yaml shows what each parent says, with Istio kubectl "
        "get virtualservice {release} -o yaml what Istio says; no candidate gets "
        "traffic before all of them accept it.",
    ),
    "RouteNotProven": Explanation(
        "Nobody refuses the route, and it is not known yet that all that route go by it.",
        "This takes as long as a gateway takes to take it up, and the message names the address "
        "that is asked; proxies of a mesh cannot be asked and are given 15 s.",
    ),
    "NameConflict": Explanation(
        "An object that is not this release's has a name that it needs; it is never overwritten.",
        "Rename or delete that object, or rename the release.",
    ),
    # Health of what serves.
    "Healthy": Explanation("All Pods are ready and pass all probes.", ""),
    "ScaledToZero": Explanation(
        "No Pod is wanted: spec.replicas is 0, or no node is to have a Pod of the DaemonSet.",
        "Set spec.replicas; of a DaemonSet, see nodeSelector, affinity and tolerations.",
    ),
    "PodsNotReady": Explanation(
        "Some Pods are not ready; the others serve, and nothing shows that the version is bad.",
        "It is healthy once they are ready; the message tells what holds them up.",
    ),
    "ProbesPending": Explanation(
        "Some probe has not been answered yet on some Pod. What is not known never counts as "
        "passed.",
        "It is healthy once every probe has passed.",
    ),
    "NoEvidence": Explanation(
        "A probe finds nothing out: no data, or nobody who answers. That speaks neither for nor "
        "against the version, so nothing moves.",
        "The message tells what was asked and missed; it goes on by itself once there is an "
        "answer.",
    ),
    "NoReadyPods": Explanation(
        "Not one Pod of {revision} is ready to take traffic.",
        _FIX_OR_RETRY,
    ),
    "ProbeFailed": Explanation(
        "A probe failed as often in a row as its failureThreshold allows.",
        _FIX_OR_RETRY,
    ),
    "CrashLoop": Explanation(
        "Containers end again and again. What they logged last is in the message where the "
        "template has terminationMessagePolicy: FallbackToLogsOnError.",
        _FIX_OR_RETRY,
    ),
    "TemplateChanged": Explanation(
        "The Deployment of {revision} is not as it was written: somebody changed it, or, where the "
        "message says that a field is None, this API server dropped one whose feature gate is off. "
        "What would run is not what was verified.",
        "Take out the field, or find out who did it (the audit log tells), and label the namespace "
        "immutablerelease.io/enforce so that nobody can. " + _FIX_OR_RETRY,
    ),
    "AlertOnly": Explanation(
        "{active} fails, and guard.onFailure is Alert: the operator only tells.",
        "kubectl immutable rollback {release} goes back by hand; guard.onFailure: Revert has the "
        "operator do it.",
    ),
    "NothingToRevertTo": Explanation(
        "{active} fails, and no other revision has ever served that traffic could go back to.",
        "Change the spec to a version that works; it takes the traffic once its probes pass.",
    ),
    "TargetFailsToo": Explanation(
        "{active} fails, and {good} fails the same probe: a revert would not help. Something that "
        "both depend on is probably down.",
        "Mend what they depend on. The operator reverts by itself once {good} passes and "
        "{active} does not.",
    ),
    "FailsSinceRevert": Explanation(
        "{active} took the traffic back and fails a probe of the whole revision ever since. "
        "Nothing shows that another version would do better.",
        "Look for what both versions depend on; kubectl immutable rollback {release} goes to "
        "another one by hand.",
    ),
    # Why a revision is not to be used.
    "DeadlineExceeded": Explanation(
        "{revision} was not proven within health.progressDeadline.",
        _FIX_OR_RETRY + " If it only needs longer, raise health.progressDeadline first.",
    ),
    "ImagePullFailed": Explanation(
        "The nodes cannot pull an image that was verified: credentials, network or architecture.",
        "Check imagePullSecrets and the node's access to the registry, then: "
        "kubectl immutable retry {release}.",
    ),
    "DeploymentRefused": Explanation(
        "The API server, a quota or an admission policy refused its workload or Service.",
        "Correct what the message names, then: kubectl immutable retry {release}.",
    ),
    "Rejected": Explanation(
        "Its images were not let in by a ReleasePolicy; nothing of it was ever started.",
        _SIGN_OR_RETRY,
    ),
    "Failed": Explanation("It could not be proven and got no traffic.", _FIX_OR_RETRY),
    "Reverted": Explanation(
        "{revision} served and failed; the operator sent the traffic back, and does not try it "
        "again by itself.",
        _FIX_OR_RETRY,
    ),
    "RolledBack": Explanation(
        "Somebody asked for a rollback: {revision} was left, and is not tried again by itself.",
        "Change the spec, or: kubectl immutable retry {release}.",
    ),
    "Aborted": Explanation(
        "Somebody aborted {revision}, and it is not tried again by itself.",
        "Change the spec, or: kubectl immutable retry {release}.",
    ),
    "VerificationRefused": Explanation(
        "{revision} was verified when it was admitted, and the policies refuse it by now.",
        "Release a version that they verify, or ask a cluster admin to correct the policy; once "
        "they verify it again it is admitted by itself.",
    ),
    "Replaced": Explanation(
        "The ReleaseRevision that served was deleted; the traffic went to one that is known.",
        "Apply the release again if that version is still wanted.",
    ),
    "Promoted": Explanation("It passed its probes and got the traffic.", ""),
    # Verdicts on images that are no errors.
    "Signed": Explanation("All policies that match its images hold.", ""),
    "UnsignedAllowed": Explanation("A policy of a cluster admin lets it run unsigned.", ""),
    "NotEnforced": Explanation(
        "Only policies in mode Audit speak of its images.",
        "Nothing is refused until a cluster admin sets a policy's mode to Enforce.",
    ),
    "Unsigned": Explanation(
        "No signature was found that a policy counts, and the policy wants one.",
        _SIGN_OR_RETRY,
    ),
    "QuorumNotMet": Explanation(
        "Fewer authorities have signed than the policy wants.", _SIGN_OR_RETRY
    ),
    "AttestationMissing": Explanation(
        "An attestation that the policy wants is missing or does not meet its rules.",
        "Have the build attest what the policy wants, then: kubectl immutable retry {release}.",
    ),
    "NoPolicy": Explanation(
        "No ReleasePolicy matches an image of it, and what none matches is refused.",
        "Ask a cluster admin for a policy that matches, or use an image that one matches.",
    ),
    "NoImages": Explanation(
        "There is no image to verify.", "Give the template a container with an image."
    ),
    # What kept the operator from finding out.
    "ConfigNotFound": Explanation(
        "A ConfigMap or Secret that the template names does not exist, so it cannot be frozen.",
        "Create it, mark the reference optional, or correct its name; it is looked for again.",
    ),
    "ApiError": Explanation(
        "The API server did not give what was needed.",
        "It is tried again by itself; if it stays so, look at the operator's log.",
    ),
}


def explanation(reason: str) -> Explanation:
    """The explanation of a reason; for one of a newer operator, that it has none."""
    known = REASONS.get(reason) or _ERRORS.get(reason)
    return known or Explanation("", "Read the message; this plugin is older than the operator.")


def _errors(of: type[VerificationError]) -> Iterator[type[VerificationError]]:
    for error in of.__subclasses__():
        yield error
        yield from _errors(error)


def _of_error(error: type[VerificationError]) -> Explanation:
    why = (error.__doc__ or "").strip().splitlines()[0]
    if error.verdict == "Unknown":
        # Some say that themselves, and nothing else.
        advice = "" if error.advice.startswith("it is") else _sentence(error.advice)
        return Explanation(why, f"{advice} It is tried again by itself.".strip())
    return Explanation(
        why, f"{_sentence(error.advice)} Then: kubectl immutable retry {{release}}.".strip()
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


_ERRORS: Mapping[str, Explanation] = {
    error.reason: _of_error(error) for error in _errors(VerificationError)
}
