"""Pod templates that say something in another way than the API server keeps it."""

from typing import Any, Final

from tests.api.manifests import DIGEST

Template = dict[str, Any]

IMAGE: Final = f"registry.example.com/shop@{DIGEST}"
SCRATCH: Final = [{"name": "scratch", "emptyDir": {}}]


def _pod(**spec: Any) -> Template:
    return {"spec": {"containers": [{"name": "shop", "image": IMAGE}], **spec}}


def _container(*, volumes: list[Any] | None = None, **fields: Any) -> Template:
    more = {} if volumes is None else {"volumes": volumes}
    return _pod(containers=[{"name": "shop", "image": IMAGE, **fields}], **more)


def _requests(**quantities: Any) -> Template:
    return _container(resources={"requests": quantities})


def _env(**source: Any) -> Template:
    return _container(env=[{"name": "IT", "valueFrom": source}])


def _volume(**source: Any) -> Template:
    return _pod(volumes=[{"name": "it", **source}])


def _metadata(**fields: Any) -> Template:
    return {"metadata": fields, **_pod()}


_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
_DIVISOR = {"resource": "limits.cpu", "divisor": "1000m"}

SPELLINGS: Final[dict[str, Template]] = {
    "empty lists of a container": _container(
        args=[], command=[], env=[], envFrom=[], ports=[], volumeMounts=[], resizePolicy=[]
    ),
    "empty maps of a container": _container(
        resources={}, securityContext={}, lifecycle={}, readinessProbe=None
    ),
    "empty texts of a container": _container(
        workingDir="",
        imagePullPolicy="",
        terminationMessagePath="",
        terminationMessagePolicy="",
        ports=[{"containerPort": 8080, "protocol": "", "hostIP": ""}],
    ),
    "empty resources": _container(resources={"limits": {}, "requests": {}, "claims": []}),
    "no capabilities": _container(securityContext={"capabilities": {"drop": ["ALL"], "add": []}}),
    "empty variables": _container(env=[{"name": "A", "value": ""}, {"name": "B"}]),
    "cores in thousandths": _requests(cpu="1000m"),
    "half a core": _requests(cpu="0.5"),
    "half a core as a number": _requests(cpu=0.5),
    "a part of a core that no float is exactly": _requests(cpu=0.05),
    "a core as a number": _requests(cpu=1, memory=1073741824),
    "less than a thousandth": _requests(cpu="0.0001"),
    "memory with a fraction": _requests(memory="1.5Gi"),
    "memory by an exponent": _requests(memory="129e6", cpu="1.0"),
    "memory that fits a greater unit": _requests(memory="1024Mi"),
    "limits alone": _container(resources={"limits": {"cpu": "1500m", "memory": "2048Mi"}}),
    "resources of the Pod": _pod(resources={"limits": {"cpu": "1000m"}}),
    "a divisor": _env(resourceFieldRef=_DIVISOR),
    "no divisor": _env(resourceFieldRef={"resource": "limits.cpu", "divisor": 0}),
    "a field of the Pod": _env(fieldRef={"fieldPath": "metadata.name", "apiVersion": ""}),
    "probes with zeros": _container(
        livenessProbe={
            "exec": {"command": ["true"]},
            "initialDelaySeconds": 0,
            "periodSeconds": 0,
            "timeoutSeconds": 0,
            "successThreshold": 0,
            "failureThreshold": 0,
        }
    ),
    "a question with empty fields": _container(
        readinessProbe={"httpGet": {"port": 80, "path": "", "scheme": "", "httpHeaders": []}}
    ),
    "a question by gRPC": _container(readinessProbe={"grpc": {"port": 80, "service": ""}}),
    "a hook": _container(lifecycle={"preStop": {"sleep": {"seconds": 1}}}),
    "a mount with empty fields": _container(
        volumes=SCRATCH,
        volumeMounts=[{"name": "scratch", "mountPath": "/x", "readOnly": False, "subPath": ""}],
    ),
    "empty lists of a Pod": _pod(
        hostAliases=[],
        imagePullSecrets=[],
        initContainers=[],
        readinessGates=[],
        schedulingGates=[],
        tolerations=[],
        topologySpreadConstraints=[],
        volumes=[],
    ),
    "empty maps of a Pod": _pod(affinity={}, nodeSelector={}, securityContext={}),
    "empty texts of a Pod": _pod(
        dnsPolicy="",
        hostname="",
        priorityClassName="",
        schedulerName="",
        serviceAccountName="",
        subdomain="",
    ),
    "what is false": _pod(
        enableServiceLinks=False,
        hostIPC=False,
        hostNetwork=False,
        hostPID=False,
        setHostnameAsFQDN=False,
        shareProcessNamespace=False,
    ),
    "no grace": _pod(terminationGracePeriodSeconds=0, activeDeadlineSeconds=None),
    "empty rules of a Pod": _pod(
        securityContext={"supplementalGroups": [], "sysctls": [], "runAsUser": 0}
    ),
    "affinity to nothing": _pod(
        affinity={
            "nodeAffinity": {},
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []},
        }
    ),
    "affinity to all": _pod(
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}
                ]
            }
        }
    ),
    "a toleration with empty fields": _pod(
        tolerations=[{"key": "a", "operator": "", "value": "", "effect": ""}]
    ),
    "names with empty lists": _pod(
        dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.1"], "searches": [], "options": []}
    ),
    "the account by its old name": _pod(serviceAccount="default"),
    "a volume of no kind": _pod(volumes=[{"name": "it"}]),
    "a volume of nothing": _volume(emptyDir=None),
    "a volume with a size": _volume(emptyDir={"sizeLimit": "1024Mi", "medium": ""}),
    "a volume with no size": _volume(emptyDir={"sizeLimit": "0"}),
    "a volume with a claim": _volume(ephemeral={"volumeClaimTemplate": {"spec": _CLAIM}}),
    "a volume of fields": _volume(
        downwardAPI={
            "items": [{"path": "cpu", "resourceFieldRef": {"containerName": "shop", **_DIVISOR}}]
        }
    ),
    "a volume of many": _volume(
        projected={
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {}},
                {"configMap": {"name": "texts", "items": []}},
            ]
        }
    ),
    "empty metadata": _metadata(labels={}, annotations={}),
    "no metadata": _metadata(labels=None, annotations=None),
    "an annotation without a value": _metadata(annotations={"a": ""}),
    "a container that runs beside": _pod(
        initContainers=[
            {
                "name": "beside",
                "image": IMAGE,
                "restartPolicy": "Always",
                "env": [],
                "resources": {"requests": {"cpu": "1000m"}},
            }
        ]
    ),
}
