package spool

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// clusterPatience is how long to wait at the start for a cluster that elects a
	// leader.
	clusterPatience = time.Minute
	// pingEvery is how often it is asked whether a server of the cluster is there;
	// after two questions without an answer another one is chosen.
	pingEvery = 3 * time.Second
	// reconnectWait is the pause between two rounds through the servers.
	reconnectWait = 250 * time.Millisecond
	// codeNoPeers is what a cluster answers that is too small for the copies of a
	// stream (nats-server, server/errors.json).
	codeNoPeers = 10005
)

// joinCluster connects to an external cluster, which others may use as well.
func (s *Spool) joinCluster(ctx context.Context) error {
	err := s.dial(func() (*nats.Conn, error) {
		// What is written while there is no connection fails at once: written later,
		// it could come behind what another bridge has done by then.
		return nats.Connect(s.o.URL, nats.Name("verobridge"), nats.MaxReconnects(-1),
			nats.ReconnectBufSize(-1), nats.PingInterval(pingEvery), nats.ReconnectWait(reconnectWait))
	})
	if err != nil {
		return err
	}
	s.fleet = newFleet(s)
	for since := time.Now(); ; sleep(ctx, time.Second) {
		err := s.prepareCluster(ctx)
		if err == nil || ctx.Err() != nil || time.Since(since) > clusterPatience || !isPassing(err) && !lacksServers(err) {
			return err
		}
		s.log.Warn("the NATS cluster does not answer yet; trying again", "error", err)
	}
}

// lacksServers says whether the cluster is too small for the copies of a stream: for
// now, where its servers start together with the bridge.
func lacksServers(err error) bool {
	var answer *jetstream.APIError
	return errors.As(err, &answer) && answer.ErrorCode == codeNoPeers
}

// prepareCluster makes the streams, and begins the progress of readers that are
// new. Whoever owns a reader looks closer at it.
func (s *Spool) prepareCluster(ctx context.Context) error {
	if err := s.makeStreams(ctx); err != nil {
		return err
	}
	if err := s.fleet.open(ctx); err != nil {
		return err
	}
	for _, f := range s.readers() {
		if _, err := s.beginProgress(ctx, f.stream, f.reader); err != nil {
			return err
		}
	}
	return nil
}
