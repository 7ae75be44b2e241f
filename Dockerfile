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
EXPOSE 8080 8081
ENTRYPOINT ["/verobridge"]
CMD ["serve", "--config", "/etc/verobridge/verobridge.yaml"]
