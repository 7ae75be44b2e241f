package torture

import (
	"context"
	"net"
	"net/http"
	"time"
)

// door is a listener that can be closed and opened again at the same address.
// Who knocks meanwhile is refused.
type door struct {
	address string
	handler http.Handler
	server  *http.Server
}

func (d *door) open(ctx context.Context) error {
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

// close cuts all connections.
func (d *door) close() error { return d.server.Close() }
