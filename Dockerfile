# Two stages: the wheel is built where a compiler may be, and runs where nothing else is.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY app app
COPY jobs jobs
COPY db db
COPY profiles profiles
COPY recommender recommender
COPY samples samples
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home paperwatch && install -d -o paperwatch /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PAPERWATCH_DATA=/data PAPERWATCH_HOST=0.0.0.0
USER paperwatch
VOLUME /data
EXPOSE 8000
CMD ["paperwatch", "run"]
