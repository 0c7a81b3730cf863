"""However a template is written, what the API server makes of it is the template."""

import pytest

from immutablerelease.api.objects import Revision
from immutablerelease.immutability.difference import difference
from immutablerelease.immutability.workload import daemon_set, deployment, pod_template
from tests.api.kubectl import Kubectl
from tests.api.manifests import release, revision
from tests.api.spellings import SPELLINGS


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_is_no_change(kubectl: Kubectl, name: str) -> None:
    # The release keeps what was written, as the revision does.
    kept = kubectl.try_create(release(spec__template=SPELLINGS[name]))["spec"]["template"]
    written = revision(spec__template=kept)
    written["metadata"] |= {"namespace": "default", "uid": "0123-4567"}
    recorded = Revision.read(written)
    for workload in (deployment(recorded, 1), daemon_set(recorded)):
        live = kubectl.try_create(workload)["spec"]["template"]
        assert difference(pod_template(recorded), live) == ""
