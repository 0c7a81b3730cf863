"""What the API server refuses, and the very words in which it says why."""

from typing import Any

import pytest

from tests.api.kubectl import Kubectl, Refused
from tests.api.manifests import ABSENT, Manifest, action, policy, release, revision

CONTAINERS = "spec__template__spec__containers"
DURATION = r"'^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h))+$'"
UNSIGNED = {"unsafeAllowUnsigned": True}
IDENTITY = {"issuer": "https://issuer.example", "subject": "alice@team.example"}
PUBLIC = {"pem": "-----BEGIN PUBLIC KEY-----"}
PRIVATE = {"pem": "-----BEGIN PRIVATE KEY-----\n-----BEGIN PUBLIC KEY-----"}


def probe(**fields: Any) -> Manifest:
    """A release with one probe."""
    return release(spec__health__probes=[{"name": "api"} | fields])


def job_template(**spec: Any) -> Manifest:
    """A template of the Pod of a job."""
    return {"spec": {"containers": [{"name": "smoke", "image": "smoke:1"}], **spec}}


def ports(*ports: dict[str, Any]) -> Manifest:
    """A release with these ports."""
    defaults = {"name": "http", "port": 80, "targetPort": 8080}
    return release(spec__service__ports=[defaults | port for port in ports])


def authority(**fields: Any) -> Manifest:
    """A policy that trusts an authority like this."""
    return policy(spec={"authorities": [{"name": "build", **fields}]})


SLSA = {"sourceRepository": "https://github.com/shop/app", "builder": "https://ci.example"}
TEAM = {"name": "team", "key": PUBLIC}


def attesting(**fields: Any) -> Manifest:
    """A policy with one attestation."""
    wanted = {"name": "wanted"} | fields
    return policy(spec={"authorities": [TEAM], "attestations": [wanted]})


TIMEOUT = (
    "spec.health.probes[0].timeout: Invalid value: timeout is more than 0s and not longer than "
    "interval (where they are not written, timeout is 1s and interval 2s)"
)
SERVICE_NAME = (
    "Invalid value: the name of a release is also that of its Service: lower case letters, digits "
    "and dashes, a letter first and no dash last"
)

REFUSED: dict[str, tuple[Manifest, str]] = {
    "a release whose revisions would have names too long for a Service": (
        release("a" * 53),
        "Invalid value: the name of a release has at most 52 characters: names of its revisions "
        "are 11 longer and must fit the 63 of a Service",
    ),
    "a release whose name starts with a digit": (release("9shop"), SERVICE_NAME),
    "a release whose name has a dot": (release("shop.web"), SERVICE_NAME),
    "a step of a canary with less than the one before": (
        release(spec__strategy__canary={"steps": [{"weight": 50}, {"weight": 20}]}),
        "spec.strategy.canary.steps: Invalid value: the weight of a step is never less than that "
        "of the step before it",
    ),
    "a release without a template": (
        release(spec__template=ABSENT),
        "spec.template: Required value",
    ),
    "a release without a service": (
        release(spec__service=ABSENT),
        "spec.service: Required value",
    ),
    "a DaemonSet whose traffic moves in shares": (
        release(spec__workload="DaemonSet", spec__strategy={"canary": {"steps": [{"weight": 10}]}}),
        "spec.strategy.canary: Invalid value: a DaemonSet has one Pod on each node and no shares: "
        "remove strategy.canary",
    ),
    "a DaemonSet that is tested small": (
        release(spec__workload="DaemonSet", spec__strategy={"blueGreen": {"previewReplicas": 1}}),
        "spec.strategy.blueGreen.previewReplicas: Invalid value: a DaemonSet has one Pod on each "
        "node and no shares: remove strategy.blueGreen.previewReplicas",
    ),
    "a DaemonSet behind a gateway": (
        release(
            spec__workload="DaemonSet",
            spec__traffic={"gateway": {"parentRefs": [{"name": "public"}]}},
        ),
        "spec.traffic.gateway: Invalid value: a DaemonSet has one Pod on each node and no shares: "
        "remove traffic.gateway",
    ),
    "a DaemonSet in a mesh": (
        release(spec__workload="DaemonSet", spec__traffic={"istio": {}}),
        "spec.traffic.istio: Invalid value: a DaemonSet has one Pod on each node and no shares: "
        "remove traffic.istio",
    ),
    "two routers": (
        release(spec__traffic={"gateway": {"parentRefs": [{"name": "public"}]}, "istio": {}}),
        "spec.traffic: Invalid value: one router carries the traffic: set `gateway` or `istio`, "
        "not both",
    ),
    "a gateway of Istio that is to answer to no host": (
        release(spec__traffic={"istio": {"gateways": ["mesh", "infra/public"]}}),
        "spec.traffic.istio.hosts: Invalid value: requests through a gateway are told by their "
        "host: name it in `hosts`",
    ),
    "a host of a mesh that is named twice": (
        release(spec__traffic={"istio": {"hosts": ["shop", "shop"]}}),
        "spec.traffic.istio.hosts: Invalid value: a host is named once",
    ),
    "a mesh that is to answer to every host": (
        release(spec__traffic={"istio": {"hosts": ["*"]}}),
        'spec.traffic.istio.hosts[0]: Invalid value: "*": spec.traffic.istio.hosts[0] in body '
        "should match "
        r"'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'",
    ),
    "a port of gateways that the Service does not have": (
        release(spec__traffic={"istio": {"port": "nowhere"}}),
        "spec.traffic.istio.port: Invalid value: traffic.istio.port must be a name in "
        "`service.ports`",
    ),
    "a workload that the operator does not know": (
        release(spec__workload="StatefulSet"),
        'spec.workload: Unsupported value: "StatefulSet": supported values: "Deployment", '
        '"DaemonSet"',
    ),
    "a template with no containers": (
        release(**{CONTAINERS: []}),
        "spec.template.spec.containers: Invalid value: 0: "
        "spec.template.spec.containers in body should have at least 1 items",
    ),
    "a container without an image": (
        release(**{f"{CONTAINERS}__0__image": ABSENT}),
        "spec.template.spec.containers[0].image: Required value",
    ),
    "a container with an empty image": (
        release(**{f"{CONTAINERS}__0__image": ""}),
        'spec.template.spec.containers[0].image: Invalid value: "": '
        r"spec.template.spec.containers[0].image in body should match '^[^\s]+$'",
    ),
    "two containers of one name": (
        release(**{CONTAINERS: [{"name": "shop", "image": "shop:1"}] * 2}),
        'spec.template.spec.containers[1]: Duplicate value: {"name":"shop"}',
    ),
    "a template that sets a label of the operator": (
        release(spec__template__metadata__labels={"immutablerelease.io/revision": "shop-1"}),
        "spec.template.metadata.labels: Invalid value: labels under immutablerelease.io/ are set "
        "by the operator: remove them from the template",
    ),
    "a template that sets an annotation of the operator": (
        release(spec__template__metadata__annotations={"immutablerelease.io/route": "{}"}),
        "spec.template.metadata.annotations: Invalid value: annotations under immutablerelease.io/ "
        "are set by the operator: remove them from the template",
    ),
    "a template with ephemeral containers": (
        release(spec__template__spec__ephemeralContainers=[{"name": "debug"}]),
        "spec.template.spec: Invalid value: ephemeral containers are for debugging a running Pod: "
        "a template has none",
    ),
    "a template of Pods that end": (
        release(spec__template__spec__restartPolicy="Never"),
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    "a probe of no kind": (
        probe(),
        "spec.health.probes[0]: Invalid value: a probe has exactly one of http, tcp, grpc, "
        "prometheus or job",
    ),
    "a probe of two kinds": (
        probe(http={"port": "http"}, tcp={"port": 8080}),
        "spec.health.probes[0]: Invalid value: a probe has exactly one of http, tcp, grpc, "
        "prometheus or job",
    ),
    "two probes of one name": (
        release(spec__health__probes=[{"name": "api", "tcp": {"port": 8080}}] * 2),
        'spec.health.probes[1]: Duplicate value: {"name":"api"}',
    ),
    "a probe that leaves Pods no time for anything else": (
        probe(tcp={"port": 8080}, interval="50ms", timeout="50ms"),
        "spec.health.probes[0].interval: Invalid value: interval is at least 100ms: Pods have "
        "other work to do",
    ),
    "a probe whose interval is shorter than the timeout that it did not write": (
        probe(tcp={"port": 8080}, interval="500ms"),
        TIMEOUT,
    ),
    "a probe that gives a Pod no time to answer": (
        probe(tcp={"port": 8080}, timeout="0s"),
        TIMEOUT,
    ),
    "a duration that is longer than the operator can reckon with": (
        probe(tcp={"port": 8080}, interval="100000h"),
        'spec.health.probes[0].interval: Invalid value: "100000h": '
        f"spec.health.probes[0].interval in body should match {DURATION}",
    ),
    "an HTTP probe of a port that the Service does not name": (
        probe(http={"port": "web"}),
        "spec.health.probes: Invalid value: the port of a probe by http must be a number or a "
        "name in `service.ports`",
    ),
    "a TCP probe of a port that the Service does not name": (
        probe(tcp={"port": "web"}),
        "spec.health.probes: Invalid value: the port of a probe by tcp must be a number or a "
        "name in `service.ports`",
    ),
    "a gRPC probe of a port that the Service does not name": (
        probe(grpc={"port": "rpc"}),
        "spec.health.probes: Invalid value: the port of a probe by grpc must be a number or a "
        "name in `service.ports`",
    ),
    "a query that nothing is made of": (
        probe(prometheus={"query": "up"}),
        "spec.health.probes[0].prometheus: Invalid value: a probe by prometheus has a threshold, "
        "a comparison or both",
    ),
    "a threshold without a bound": (
        probe(prometheus={"query": "up", "threshold": {}}),
        "spec.health.probes[0].prometheus.threshold: Invalid value: a threshold has a max, a min "
        "or both",
    ),
    "a threshold that nothing passes": (
        probe(prometheus={"query": "up", "threshold": {"min": 2, "max": 1}}),
        "spec.health.probes[0].prometheus.threshold: Invalid value: the min of a threshold is not "
        "more than its max: nothing could pass",
    ),
    "a comparison without a limit": (
        probe(prometheus={"query": "$revision", "compare": {}}),
        "spec.health.probes[0].prometheus.compare: Invalid value: a comparison has a maxRatio, a "
        "maxDifference or both",
    ),
    "a comparison of a query that is the same for both": (
        probe(prometheus={"query": "up", "compare": {"maxRatio": 1}}),
        "spec.health.probes[0].prometheus.query: Invalid value: a query that is compared must "
        "contain $revision: else both revisions give one value",
    ),
    "a placeholder that does not exist": (
        probe(prometheus={"query": 'up{pod=~"$revison-.*"}', "threshold": {"max": 1}}),
        "spec.health.probes[0].prometheus.query: Invalid value: the placeholders of a query are "
        "$revision, $release and $namespace",
    ),
    "a placeholder that does not exist, among the samples": (
        probe(
            prometheus={
                "query": "up",
                "threshold": {"max": 1},
                "minimumSamples": {"query": "up{a='$app'}", "count": 1},
            }
        ),
        "spec.health.probes[0].prometheus.minimumSamples.query: Invalid value: the placeholders "
        "of a query are $revision, $release and $namespace",
    ),
    "a job that runs nothing": (
        probe(job={"when": "AfterPromotion"}),
        "spec.health.probes: Invalid value: a job has a template",
    ),
    "a job that starts anew for ever": (
        probe(job={"template": job_template(restartPolicy="Always")}),
        "spec.health.probes[0].job.template.spec.restartPolicy: Unsupported value: "
        '"Always": supported values: "Never"',
    ),
    "a job that has no time": (
        probe(job={"template": job_template(), "timeout": "500ms"}),
        "spec.health.probes[0].job.timeout: Invalid value: the timeout of a job is at least 1s: no "
        "Pod starts in less",
    ),
    "a job at a time that there is not": (
        probe(job={"template": job_template(), "when": "Later"}),
        'spec.health.probes[0].job.when: Unsupported value: "Later": supported values: '
        '"BeforePromotion", "AfterPromotion"',
    ),
    "a job that claims to be of the operator": (
        probe(
            job={
                "template": job_template()
                | {"metadata": {"labels": {"immutablerelease.io/job": "x"}}}
            }
        ),
        "spec.health.probes[0].job.template.metadata.labels: Invalid value: labels under "
        "immutablerelease.io/ are set by the operator: remove them from the template",
    ),
    "a Prometheus that is no URL": (
        probe(prometheus={"query": "up", "threshold": {"max": 1}, "address": "file:///etc"}),
        'spec.health.probes[0].prometheus.address: Invalid value: "file:///etc": '
        "spec.health.probes[0].prometheus.address in body should match '^https?://'",
    ),
    "a probe of a port that cannot be": (
        probe(http={"port": 70000}),
        "spec.health.probes[0].http.port: Invalid value: 70000: "
        "spec.health.probes[0].http.port in body should be less than or equal to 65535",
    ),
    "a probe of a path that is none": (
        probe(http={"port": "http", "path": "healthz"}),
        'spec.health.probes[0].http.path: Invalid value: "healthz": '
        "spec.health.probes[0].http.path in body should match '^/'",
    ),
    "a deadline that no revision can keep": (
        release(spec__health__progressDeadline="0s"),
        "spec.health.progressDeadline: Invalid value: progressDeadline is at least 1s: "
        "no revision could ever start",
    ),
    "a service without ports": (
        ports(),
        "spec.service.ports: Invalid value: 0: "
        "spec.service.ports in body should have at least 1 items",
    ),
    "a service that uses a port twice": (
        ports({}, {"name": "admin"}),
        "spec.service.ports: Invalid value: a port of the Service is used once: two of `ports` "
        "have the same port and protocol",
    ),
    "a service that sends to a port which no container names": (
        ports({"targetPort": "web"}),
        "spec.service.ports: Invalid value: a targetPort by name must be the name of a container "
        "port in the template",
    ),
    "a longer history than the operator keeps": (
        release(spec__historyLimit=101),
        "spec.historyLimit: Invalid value: 101: "
        "spec.historyLimit in body should be less than or equal to 100",
    ),
    "a preview of no Pods, which could prove nothing": (
        release(spec__strategy__blueGreen__previewReplicas=0),
        "spec.strategy.blueGreen.previewReplicas: Invalid value: 0: "
        "spec.strategy.blueGreen.previewReplicas in body should be greater than or equal to 1",
    ),
    "a guard that looks away": (
        release(spec__guard__onFailure="Ignore"),
        'spec.guard.onFailure: Unsupported value: "Ignore": supported values: "Revert", "Alert"',
    ),
    "an image volume that names no image": (
        release(spec__template__spec__volumes=[{"name": "model", "image": {}}]),
        "spec.template.spec.volumes[0].image.reference: Required value",
    ),
    "a revision with an image by tag": (
        revision(spec__images__0__image="shop:1"),
        'spec.images[0].image: Invalid value: "shop:1": '
        "spec.images[0].image in body should match '^.+@sha256:[a-f0-9]{64}$'",
    ),
    "an action that names a revision where that means nothing": (
        action(spec__action="Retry", spec__revision="shop-0123456789"),
        "spec: Invalid value: Retry takes no revision: it is about the one that the spec stands "
        "for",
    ),
    "an action that is in full where there is nothing to leave out": (
        action(spec__action="Abort", spec__full=True),
        "spec: Invalid value: only Promote takes full",
    ),
    "two strategies": (
        release(
            spec__strategy__blueGreen={"promotion": "Manual"},
            spec__strategy__canary={"steps": [{"weight": 10}]},
        ),
        "spec.strategy: Invalid value: a strategy is one of blueGreen or canary",
    ),
    "requests copied by a Service": (
        release(spec__strategy__canary={"steps": [{"weight": 10, "mirror": 10}]}),
        "spec.strategy.canary: Invalid value: mirror needs traffic.gateway or traffic.istio: a "
        "Service cannot copy requests",
    ),
    "an action that nobody can carry out": (
        action(spec__action="Delete"),
        'spec.action: Unsupported value: "Delete": supported values: "Promote", "Abort", '
        '"Rollback", "Retry"',
    ),
    "a policy that trusts nobody": (
        policy(spec={"mode": "Enforce"}),
        "spec: Invalid value: name at least one authority; unsafeAllowUnsigned: true lets "
        "anything run",
    ),
    "a policy that trusts somebody and everybody": (
        policy(spec=UNSIGNED | {"authorities": [{"name": "build", "key": PUBLIC}]}),
        "spec: Invalid value: unsafeAllowUnsigned would make the authorities meaningless: "
        "remove one or the other",
    ),
    "a policy that holds a private key": (
        policy(spec={"authorities": [{"name": "build", "key": PRIVATE}]}),
        "spec.authorities[0].key: Invalid value: this is a private key: replace it, it is no "
        "longer private; put the public key here",
    ),
    "a policy with a key that is given twice": (
        authority(key=PUBLIC | {"secretRef": {"name": "keys", "key": "build.pub"}}),
        "spec.authorities[0].key: Invalid value: give the key by one of pem and secretRef",
    ),
    "a policy with an authority that has a key and identities": (
        authority(key=PUBLIC, keyless={"identities": [IDENTITY]}),
        "spec.authorities[0]: Invalid value: an authority has one of key and keyless",
    ),
    "a policy with an authority that has neither": (
        authority(),
        "spec.authorities[0]: Invalid value: an authority has one of key and keyless",
    ),
    "a policy with an identity that anybody can vouch for": (
        authority(keyless={"identities": [{"subject": "alice@team.example"}]}),
        "spec.authorities[0].keyless.identities[0]: Invalid value: give the issuer by one of "
        "issuer and issuerPattern",
    ),
    "a policy with an identity that is anybody": (
        authority(keyless={"identities": [{"issuer": "https://issuer.example"}]}),
        "spec.authorities[0].keyless.identities[0]: Invalid value: give the subject by one of "
        "subject and subjectPattern",
    ),
    "a policy with identities of nobody": (
        authority(keyless={"identities": []}),
        "spec.authorities[0].keyless.identities: Invalid value: 0: "
        "spec.authorities[0].keyless.identities in body should have at least 1 items",
    ),
    "a policy with a log that is asked for otherwise": (
        authority(key=PUBLIC, transparencyLog="Optional"),
        'spec.authorities[0].transparencyLog: Unsupported value: "Optional": '
        'supported values: "Required", "Ignored"',
    ),
    "a policy that wants more signatures than it has authorities": (
        policy(spec={"quorum": 2, "authorities": [{"name": "build", "key": PUBLIC}]}),
        "spec: Invalid value: quorum is more than there are authorities",
    ),
    "verifying again all the time": (
        policy(spec__reverify__every="10s"),
        "spec.reverify.every: Invalid value: every is 30s at least: each time asks the registry",
    ),
    "verifying again hardly ever": (
        policy(spec__reverify__every="9000h"),
        "spec.reverify.every: Invalid value: every is a year (8760h) at most",
    ),
    "something else on refusal": (
        policy(spec__reverify__onRefusal="Delete"),
        'spec.reverify.onRefusal: Unsupported value: "Delete": supported values: "Alert", "Revert"',
    ),
    "an attestation that is of two kinds": (
        attesting(slsa=SLSA, sbom="Any"),
        "spec.attestations[0]: Invalid value: say what the attestation is by exactly one of "
        "predicateType, slsa and sbom",
    ),
    "an attestation of no kind": (
        attesting(),
        "spec.attestations[0]: Invalid value: say what the attestation is by exactly one of "
        "predicateType, slsa and sbom",
    ),
    "a signature as an attestation": (
        attesting(predicateType="https://sigstore.dev/cosign/sign/v1"),
        "spec.attestations[0]: Invalid value: a signature is no attestation: name the authorities "
        "of the policy instead",
    ),
    "provenance by whatever builder": (
        attesting(slsa={"sourceRepository": "https://github.com/shop/app"}),
        "spec.attestations[0].slsa.builder: Required value",
    ),
    "an attestation by somebody whom the policy does not name": (
        attesting(sbom="Any", authorities=["nobody"]),
        "spec: Invalid value: authorities of attestations are those of the policy",
    ),
    "an attestation by more authorities than there are": (
        attesting(sbom="Any", authorities=["team"], quorum=2),
        "spec.attestations[0]: Invalid value: quorum is more than there are authorities",
    ),
    "a policy that wants neither a signature nor an attestation": (
        policy(spec={"authorities": [TEAM], "signature": "Ignored"}),
        "spec: Invalid value: with signature: Ignored name at least one attestation",
    ),
    "attestations beside unsafeAllowUnsigned": (
        policy(spec=UNSIGNED | {"attestations": [{"name": "sbom", "sbom": "Any"}]}),
        "spec: Invalid value: unsafeAllowUnsigned would make the attestations meaningless: remove "
        "one or the other",
    ),
    "a policy for an image without its registry": (
        policy(spec=UNSIGNED | {"match": {"images": ["nginx"]}}),
        "spec.match: Invalid value: images are matched with their registry: write "
        "docker.io/library/nginx, not nginx",
    ),
}


@pytest.mark.parametrize(("manifest", "cause"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_a_reason(kubectl: Kubectl, manifest: Manifest, cause: str) -> None:
    with pytest.raises(Refused) as refused:
        kubectl.try_create(manifest)
    assert refused.value.causes == [cause]


def test_a_duration_that_is_none_is_named_first(kubectl: Kubectl) -> None:
    """The rules that reckon with it fail as well."""
    with pytest.raises(Refused) as refused:
        kubectl.try_create(probe(tcp={"port": 8080}, interval="5 seconds"))
    assert refused.value.causes[0] == (
        'spec.health.probes[0].interval: Invalid value: "5 seconds": '
        f"spec.health.probes[0].interval in body should match {DURATION}"
    )


def test_a_field_that_does_not_exist_is_refused_by_name(kubectl: Kubectl) -> None:
    with pytest.raises(Refused, match=r'unknown field "spec\.template\.metadata\.lables"'):
        kubectl.try_create(release(spec__template__metadata__lables={"team": "shop"}))


def test_what_runs_the_pods_never_changes(namespace: Kubectl) -> None:
    """The other kind of object would start beside the one that serves, with nothing in between."""
    namespace.apply(release())
    with pytest.raises(Refused) as refused:
        namespace.apply(release(spec__workload="DaemonSet"))
    assert refused.value.causes == [
        "spec.workload: Invalid value: workload never changes; write another release beside this "
        "one, then delete this one"
    ]
