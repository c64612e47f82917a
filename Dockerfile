# The image has the program and nothing else: hashed requirements, no compiler, a user without rights.
#   docker build -t customer-journey-streams .
#   docker run --rm customer-journey-streams --help

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
# On ARM one requirement has no wheel and is compiled here.
RUN [ "$(uname -m)" = x86_64 ] || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; }
RUN python -m venv /opt/streams && python -m venv /opt/build
COPY requirements/registry.txt requirements/dev.txt requirements/
# With the extra `registry`: who runs an image installs nothing into it.
RUN /opt/streams/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements/registry.txt
# These requirements, from the same locks, build the wheel of our own package; they stay behind in this stage.
RUN awk '/^[a-z]/ {take = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} take' requirements/dev.txt > requirements/build.txt \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY streams streams
RUN /opt/build/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/streams/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index dist/*.whl

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="customer-journey-streams" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 streams \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/streams --shell /usr/sbin/nologin streams \
    && install -d -o streams -g streams /var/lib/streams
COPY --from=build /opt/streams /opt/streams
ENV PATH=/opt/streams/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STREAMS_LOG_FORMAT=json
WORKDIR /var/lib/streams
USER 10001:10001
EXPOSE 6066
# Checks that the process of a worker lives. (/readyz also says whether its partitions are restored.) Other commands have no
# pages: switch the check off for them.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('STREAMS_WEB__PORT', '6066') + '/livez', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["streams"]
CMD ["--help"]
