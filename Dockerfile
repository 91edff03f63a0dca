# r2d2 in two images, each for a user without rights of root:
#   docker build --target core -t r2d2 .           find, plan, vmcost, object stores
#   docker build --target spark -t r2d2:spark .    the same, and Spark with Java 17
#   docker run --rm -v /lake:/lake:ro -v "$PWD/out:/out" r2d2 find /lake --out /out/run
# Where there is no Docker, `python -m tools.image` runs these steps in a chroot.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir -q uv==0.13.9
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY r2d2 r2d2
RUN /opt/uv/bin/pip wheel --no-cache-dir -q --no-deps --wheel-dir /wheels .
# What each image has is a part of the lock: the same versions, and hashes that pip compares.
RUN for extras in plan,page,vmcost,buckets,renamed,delta plan,page,vmcost,buckets,renamed,delta,spark; do \
      /opt/uv/bin/uv pip compile -q pyproject.toml -c requirements.lock --generate-hashes --no-header \
        $(printf -- '--extra %s ' $(echo $extras | tr , ' ')) -o /wheels/${extras##*,}.lock; \
    done

FROM python:3.11-slim-bookworm AS core
COPY --from=build /wheels /wheels
RUN useradd --create-home --uid 10001 r2d2
RUN python3 -m venv /opt/r2d2 \
 && /opt/r2d2/bin/pip install --no-cache-dir -q --require-hashes -r /wheels/delta.lock \
 && /opt/r2d2/bin/pip install --no-cache-dir -q --no-deps /wheels/*.whl
USER r2d2
WORKDIR /home/r2d2
ENTRYPOINT ["/opt/r2d2/bin/r2d2"]

FROM core AS spark
USER root
RUN apt-get update -qq \
 && mkdir -p /usr/share/man/man1 \
 && apt-get install -qq -y --no-install-recommends openjdk-17-jre-headless procps \
 && rm -rf /var/lib/apt/lists/*
RUN /opt/r2d2/bin/pip install --no-cache-dir -q --require-hashes -r /wheels/spark.lock
COPY jobs /opt/r2d2/jobs
ENV PYSPARK_PYTHON=/opt/r2d2/bin/python SPARK_LOCAL_IP=127.0.0.1
USER r2d2
