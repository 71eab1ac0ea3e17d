# The service alone: no MLflow, no SHAP, no compiler, no training code, no private key.
# docker build -t repayrank . && docker run --rm -p 3000:3000 -v repayrank-state:/state \
#   -v "$PWD/.repayrank/models:/store/models:ro" -v "$PWD/.repayrank/keys/trusted:/store/keys/trusted:ro" repayrank
FROM python:3.11-slim

# LightGBM's OpenMP runtime; the slim image does not have it.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 \
    BENTOML_DO_NOT_TRACK=true \
    BENTOML_HOME=/tmp/bentoml \
    OMP_NUM_THREADS=1 \
    REPAYRANK_HOME=/store \
    REPAYRANK_STATE=/state

WORKDIR /app
COPY constraints.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
    alembic bentoml cryptography dataframely httptools lightgbm msgspec numba numpy orjson polars psycopg psycopg-binary pyarrow \
    pyjwt rich scikit-learn scipy sqlalchemy starlette typer uvicorn uvloop

COPY pyproject.toml README.md repayrank.py ./
COPY features ./features
COPY models ./models
COPY serving ./serving
# The project's other dependencies are for training.
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps .

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin repayrank && install -d -o 10001 -m 0700 /state
USER 10001
# Decisions, keys and tokens outlive the container.
VOLUME /state
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/readyz', timeout=2)"]
ENTRYPOINT ["repayrank"]
# Readiness goes first when the container is told to stop: within these seconds nobody sends it work any more.
CMD ["serve", "--host", "0.0.0.0", "--port", "3000", "--leave-seconds", "5"]
