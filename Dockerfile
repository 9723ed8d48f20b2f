# The gateway alone in its image: it reads phantoms until a site mounts weights.
#
#   docker build -t maira-gateway \
#       --build-arg TORCH_REQUIREMENT=torch==2.13.0+cpu \
#       --build-arg PIP_EXTRA_INDEX_URL=<index of that torch build> .
#   docker run -p 11112:11112 -v spool:/var/lib/maira-gateway \
#       -v ./site.toml:/etc/maira-gateway/site.toml:ro \
#       -v ./maira-2:/srv/checkpoint:ro maira-gateway

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
# Which build of torch: "+cpu" or "+cu130" after its number, and the index that has
# it. Without both arguments it is the build that pip's own index has.
ARG TORCH_REQUIREMENT="torch==2.13.0"
ARG PIP_EXTRA_INDEX_URL=""
# What is installed beside the gateway itself: "postgresql,ray" for the nodes of Ray.
ARG EXTRAS="postgresql"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL}
WORKDIR /build
COPY constraints.txt ./
RUN python3 -m venv /opt/maira-gateway \
    && /opt/maira-gateway/bin/pip install --quiet --constraint constraints.txt pip setuptools
# Before the code, so that a change of the code does not fetch it again.
RUN /opt/maira-gateway/bin/pip install --quiet --constraint constraints.txt "${TORCH_REQUIREMENT}"
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY dicom_io dicom_io
COPY gateway gateway
COPY model model
RUN /opt/maira-gateway/bin/pip install --quiet --no-build-isolation --constraint constraints.txt ".[${EXTRAS}]"

FROM ${PYTHON}
RUN groupadd --gid 10001 maira \
    && useradd --uid 10001 --gid maira --no-create-home --shell /usr/sbin/nologin maira \
    && install -d -o maira -g maira /var/lib/maira-gateway \
    && install -d /etc/maira-gateway /srv/checkpoint
COPY --from=build /opt/maira-gateway /opt/maira-gateway
ENV PATH=/opt/maira-gateway/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MAIRA_GATEWAY_CONFIG=/etc/maira-gateway/site.toml
RUN printf '[storage]\nfolder = "/var/lib/maira-gateway"\n' > /etc/maira-gateway/site.toml \
    && maira-gateway config check
USER 10001:10001
WORKDIR /var/lib/maira-gateway
VOLUME ["/var/lib/maira-gateway", "/srv/checkpoint"]
EXPOSE 11112 2762
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s \
    CMD ["maira-gateway", "check", "--alive"]
ENTRYPOINT ["maira-gateway"]
CMD ["serve"]
