"""Names and numbers of ports, as Kubernetes wants them."""

from typing import Annotated

from pydantic import Field

_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
Name = Annotated[str, Field(max_length=63, pattern=_LABEL)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
# A container names its ports in 15 characters, a Service in 63.
TargetPort = PortNumber | Annotated[str, Field(max_length=15, pattern=_LABEL)]
ProbePort = PortNumber | Name
