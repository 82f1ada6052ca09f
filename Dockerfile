# A static binary on an empty base: no shell, no libc, nothing to patch but Tidemark.
#
#   docker build -t tidemark .
#
# Without a configuration the container serves on its own loopback, where only
# `docker exec` reaches it. docker-compose.yml shows a setup that senders reach.

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/tidemark ./cmd/tidemark
# An empty base cannot make a directory, so the data directory comes from here.
RUN mkdir -p /out/data

FROM scratch
# For tls:// to an external NATS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/tidemark /usr/local/bin/tidemark
# A volume that is empty on its first use takes the owner from here.
COPY --from=build --chown=65532:65532 /out/data /var/lib/tidemark
VOLUME /var/lib/tidemark
WORKDIR /var/lib/tidemark
# Numeric, so that an orchestrator can see that it is not root.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/tidemark"]
CMD ["serve"]
