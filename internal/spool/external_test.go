package spool

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
)

// externalServer is a NATS server beside the program.
func externalServer(t *testing.T) (url string) {
	t.Helper()
	nats, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		MaxPayload: maxPayload, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() {
		nats.Shutdown()
		nats.WaitForShutdown()
	})
	if !nats.ReadyForConnections(deadline) {
		t.Fatal("the server did not start")
	}
	return nats.ClientURL()
}

// With a URL the spool lives on a server of its own, and survives there while
// the program is away.
func TestAnExternalServerKeepsTheSpool(t *testing.T) {
	url := externalServer(t)
	connect := func() *Spool {
		s, err := Open(t.Context(), Options{
			URL: url, Replicas: 1, Destinations: []string{"vero"}, MaxBytes: 1 << 30,
			Retry: Backoff{Min: time.Millisecond, Max: time.Millisecond}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	s := connect()
	events := calls("ann", 5)
	appendAll(t, s, events[:3]...)
	f := &failures{left: map[string]int{"ann-001": 1}}
	first := newDestination("vero", f.verdict)
	stop := drainTo(t, s, first, DrainOptions{})
	first.await(t, 3)
	stop()
	appendAll(t, s, events[3:]...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	second := newDestination("vero", deliverAll)
	drainTo(t, connect(), second, DrainOptions{})
	if diff := cmp.Diff(ids(events[3:]), second.await(t, 2)); diff != "" {
		t.Errorf("after coming back (-want +got):\n%s", diff)
	}
}
