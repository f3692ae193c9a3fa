# docker build -t ndr-triage . && docker run -p 8080:8080 -e NDR_API_KEYS=… ndr-triage
# Without keys the service refuses to listen outside its container; NDR_ALLOW_OPEN=1 says that none are wanted.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN pip uninstall --yes pip setuptools wheel \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ndr
COPY --from=build /venv /venv
WORKDIR /app
COPY pyproject.toml ./
COPY model model
COPY service service
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NDR_HOST=0.0.0.0 \
    NDR_PORT=8080
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['NDR_PORT']}/readyz\", timeout=4)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
