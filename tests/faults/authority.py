"""Who vouches for the API server, as the kubeconfig of the tests has it."""

import base64
import os
from pathlib import Path

import yaml


def authority() -> bytes:
    """The certificate of who vouches for the API server."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    cluster = config["clusters"][0]["cluster"]
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data)
    return Path(cluster["certificate-authority"]).read_bytes()
