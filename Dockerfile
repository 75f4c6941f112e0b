FROM python:3.13-slim AS build

WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv /opt/eni-failover
COPY requirements-build.lock requirements.lock ./
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.lock \
    && /opt/eni-failover/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY deploy deploy
COPY share share
COPY eni_failover eni_failover
# The program goes in as a wheel, without an index: what is not in a lock is not in the image. pip compiles
# the bytecode, which the daemon's user could not write. What venv brought to install with is of no use at run time.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /src/dist . \
    && /opt/eni-failover/bin/pip install --no-index --no-deps /src/dist/*.whl \
    && /opt/eni-failover/bin/pip uninstall --yes pip setuptools \
    && install -m 0755 deploy/container/eni-failover /opt/eni-failover/bin/


FROM python:3.13-slim

LABEL org.opencontainers.image.title="eni-failover" \
    org.opencontainers.image.description="Moves a floating EC2 network interface to a standby when its holder is down" \
    org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --uid 10177 --user-group --no-create-home --home-dir /var/lib/eni-failover \
        --shell /usr/sbin/nologin eni-failover \
    && install -d -o eni-failover -g eni-failover -m 0750 /var/lib/eni-failover \
    && install -d -o eni-failover -g eni-failover -m 0755 /run/eni-failover \
    && install -d -m 0755 /etc/eni-failover
COPY --from=build /opt/eni-failover /opt/eni-failover
# The base has the standard library without its bytecode, so that each start and each health check would compile it.
RUN python3 -m compileall -q -x /site-packages/ "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# To a user that is not root Docker gives no capability, whatever --cap-add says, so a copy of the interpreter has
# it, for the daemon's group alone. The attribute is what `setcap cap_net_admin+ep` writes (linux/capability.h,
# revision 2 with the effective bit): set in this stage, so that no COPY must keep it, and without a package of
# Debian's, so that nothing is fetched here.
RUN install -D -o root -g eni-failover -m 0750 /opt/eni-failover/bin/python3 /opt/eni-failover/net-admin/python3 \
    && python3 -c "import os, struct; os.setxattr('/opt/eni-failover/net-admin/python3', 'security.capability', struct.pack('<5I', 0x02000001, 1 << 12, 0, 0, 0))"

ENV PATH=/opt/eni-failover/bin:$PATH
# The journal: an intent must outlive the container.
VOLUME /var/lib/eni-failover
# By number, so that an orchestrator can see that it is not root.
USER 10177:10177
STOPSIGNAL SIGTERM
# The socket, because the port and the address are the configuration's. One container serves one group.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/eni-failover/bin/python3", "-c", "import glob, http.client, socket; c = http.client.HTTPConnection('localhost'); c.sock = socket.socket(socket.AF_UNIX); c.sock.settimeout(4); c.sock.connect(glob.glob('/run/eni-failover/*.sock')[0]); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["eni-failover"]
CMD ["run"]
