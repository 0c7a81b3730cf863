"""The kinds of Istio that the operator writes, from the file in which Istio defines all of them."""

import re

from devcluster.toolchain import data_of
from tests.api.kubectl import Kubectl, Refused
from tests.waiting import eventually

_FILE = "kubernetes/customresourcedefinitions.gen.yaml"
_KINDS = ("virtualservices.networking.istio.io", "destinationrules.networking.istio.io")
_NAME = re.compile(r"^  name: (\S+)$", re.MULTILINE)


def define(kubectl: Kubectl) -> None:
    """Have these kinds defined. No cluster has them by itself, as many have no Istio."""
    documents = (data_of("istio") / _FILE).read_text().split("\n---\n")
    wanted = [one for one in documents if set(_NAME.findall(one)) & set(_KINDS)]
    assert len(wanted) == len(_KINDS)
    kubectl("apply", "--server-side", "-f", "-", stdin="\n---\n".join(wanted))
    eventually(lambda: _served(kubectl), "the kinds of Istio are served", 60)


def _served(kubectl: Kubectl) -> bool:
    try:
        kubectl("get", ",".join(_KINDS))
    except Refused:
        return False
    return True
