# One image for every role: Dagster's webserver, its daemon, the runs that it launches, and the command `cortex`.
#   docker build -t context-plane .
# The commands of the roles are in deploy/README.md. 3.11 because the tests run on it and its rows of the lock.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/context-plane
# The lock alone first: this layer is reused until a dependency changes.
COPY requirements-prod.lock ./
RUN /opt/context-plane/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-prod.lock
COPY pyproject.toml README.md LICENSE definitions.py ./
COPY context_plane ./context_plane
COPY context_assets ./context_assets
COPY resources ./resources
COPY sensors ./sensors
RUN /opt/context-plane/bin/python -m pip install --quiet --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home plane \
    && install --directory --owner plane /opt/dagster /srv/context-plane
COPY --from=build /opt/context-plane /opt/context-plane
COPY deploy/dagster.prod.yaml /opt/dagster/dagster.yaml
COPY workspace.yaml /opt/dagster/workspace.yaml
ENV PATH=/opt/context-plane/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    DAGSTER_DISABLE_TELEMETRY=1 \
    DAGSTER_HOME=/opt/dagster \
    CONTEXT_PLANE_HOME=/srv/context-plane
USER plane
WORKDIR /srv/context-plane
# The loops of search, compiled for machines like this one: every container would take half a minute of one core for it.
RUN python -c "from context_plane.retrieval.scoring.kernels import choice; choice.load()"
EXPOSE 3000
# The UI has no login of its own: put it behind a proxy that has one.
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000", "--workspace", "/opt/dagster/workspace.yaml"]
