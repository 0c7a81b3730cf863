# Any image with Python 3.11, python3-venv and CA certificates; both stages use the same one, so that
# the interpreter that dependencies are installed with is the one that runs them.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# Where there is no package index: a folder of wheels, mounted with --volume, and PIP_NO_INDEX=1.
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
RUN python3 -m venv /opt/operator
COPY requirements.txt /src/
RUN /opt/operator/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
      --requirement /src/requirements.txt
COPY pyproject.toml /src/
COPY operator /src/operator
RUN /opt/operator/bin/pip install --no-cache-dir --no-deps /src \
 && /opt/operator/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
COPY --from=build /opt/operator /opt/operator
# The root file system is read-only, and the user has no entry in /etc/passwd to be looked up: kopf
# asks for the name.
# What a Pod does wrong on its connection is told by its probe, not by lines of gRPC in the log.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp USER=operator GRPC_VERBOSITY=NONE
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/operator/bin/immutable-release-operator"]
