package rig

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Door is a listener that can be closed and opened again at the same address.
// Who knocks meanwhile is refused.
type Door struct {
	address string
	handler http.Handler
	server  *http.Server
}

// OpenDoor opens a handler at an address of loopback that is free.
func OpenDoor(ctx context.Context, handler http.Handler) (*Door, error) {
	d := &Door{address: "127.0.0.1:0", handler: handler}
	return d, d.Open(ctx)
}

// URL returns where the handler answers.
func (d *Door) URL() string { return "http://" + d.address }

// Open opens a door that was closed.
func (d *Door) Open(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", d.address)
	if err != nil {
		return err
	}
	d.address = listener.Addr().String()
	d.server = &http.Server{Handler: d.handler, ReadHeaderTimeout: time.Minute}
	server := d.server
	go func() { _ = server.Serve(listener) }() // it ends when it is closed
	return nil
}

// Close cuts all connections.
func (d *Door) Close() error { return d.server.Close() }
