FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/foreshock
ENV PATH=/opt/foreshock/bin:$PATH
WORKDIR /src
# the dependencies change less often than the code and make a layer of their own
COPY requirements.lock ./
RUN pip install --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY grafana ./grafana
COPY collectors ./collectors
COPY detectors ./detectors
COPY service ./service
RUN pip install --no-deps . && pip check

FROM python:3.12-slim
# a number, so that Kubernetes can see that it is not root
RUN groupadd --gid 10001 foreshock \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/foreshock --create-home --shell /usr/sbin/nologin foreshock
COPY --from=build /opt/foreshock /opt/foreshock
ENV PATH=/opt/foreshock/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/foreshock
VOLUME /var/lib/foreshock
EXPOSE 8470
ENTRYPOINT ["foreshock"]
CMD ["serve", "--host=0.0.0.0", "--data-dir=/var/lib/foreshock"]
