"""Names that the operator, the chart and its users share: the group, labels and annotations."""

from typing import Final

GROUP: Final = "immutablerelease.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

# The one field manager of server-side apply, and the value of `app.kubernetes.io/managed-by`.
MANAGER: Final = "immutable-release-operator"

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
RELEASE_LABEL: Final = f"{GROUP}/release"
REVISION_LABEL: Final = f"{GROUP}/revision"
# On the Pods of a probe's job: its revision. They have no label of the release, since a Service of
# the release may select all Pods that do.
JOB_LABEL: Final = f"{GROUP}/job"
# On a Job: the probe and the attempt that it is for.
PROBE_LABEL: Final = f"{GROUP}/probe"
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"

# On a Namespace: `releases` freezes what belongs to a release, `all` lets nothing else run there.
ENFORCE_LABEL: Final = f"{GROUP}/enforce"

# On the Service of a release: where its traffic goes and why, written together with the selector.
ROUTE_ANNOTATION: Final = f"{GROUP}/route"
# On a Deployment: hash of the template it was made from.
TEMPLATE_HASH_ANNOTATION: Final = f"{GROUP}/template-hash"
