# docker build -t ndr-triage . && docker run -p 8080:8080 -e NDR_API_KEYS=… -v ndr-data:/data ndr-triage
# Without keys the service refuses to listen outside its container; NDR_ALLOW_OPEN=1 says that none are wanted.
# /data holds corrections, archives and their jobs; a folder of the host that is mounted there must belong to 10001.
# The same image runs everything: "serve --with-runner" alone, or "serve" and "runner" apart, as compose.yaml has it.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements-image.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-image.lock \
    && /venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN pip uninstall --yes pip setuptools wheel \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ndr \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY pyproject.toml ./
COPY model model
COPY service service
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NDR_HOST=0.0.0.0 \
    NDR_PORT=8080 \
    NDR_DATA_DIR=/data
VOLUME /data
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['NDR_PORT']}/readyz\", timeout=4)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve", "--with-runner"]
