# syntax=docker/dockerfile:1
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /verobridge ./cmd/verobridge && mkdir /data

# No shell, no package manager, not root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /verobridge /verobridge
# The spool: events that wait for Vero or Postgres. Keep it on a volume.
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["/verobridge"]
# With DATABASE_URL, APP_WRITE_KEY, VERO_WRITE_KEY and VERO_AUTH_TOKEN, or with
# a settings file: serve --config /etc/verobridge/verobridge.yaml
CMD ["serve"]
