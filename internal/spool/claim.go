package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// claimSubject is where those who take a reader over write that they did, in each
// stream that they are going to write to.
const claimSubject = "verobridge.claims."

// claimedStreams are those in which a record of a former owner would do harm:
// progress that goes back, an event that waits although it is done, a letter about
// one that was delivered.
var claimedStreams = []string{cursorsStream, retryStream, deadStream}

// claim makes JetStream refuse what a former owner of a reader still writes, after
// it was stopped in the middle of something and goes on as if nothing had been:
//
//	A claims (7) ── writes, if the last claim is 7 ─────── stalls ──▶ writes: refused
//	                                 B claims (9) ── reads ── writes, if it is 9
//
// The lease alone cannot do that: no process can look at a clock and write at the
// same moment. The zero claim is for the embedded server.
type claim struct {
	lease     *lease
	reader    string
	sequences map[string]uint64 // of the claims, by stream
}

// claim takes a reader over. What is read of it from then on is what counts.
func (s *Spool) claim(ctx context.Context, l *lease, reader string) (claim, error) {
	c := claim{lease: l, reader: reader}
	if l == nil {
		return c, nil
	}
	c.sequences = make(map[string]uint64)
	for _, name := range claimedStreams {
		subject := claimIn(name, reader)
		ack, err := s.js.Publish(ctx, subject, []byte(s.fleet.self))
		if err != nil {
			return c, fmt.Errorf("claim %s: %w", reader, err)
		}
		c.sequences[name] = ack.Sequence
		stream, err := s.js.Stream(ctx, name)
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeKeep(1))
		}
		if err != nil {
			return c, fmt.Errorf("claim %s: %w", reader, err)
		}
	}
	return c, l.check()
}

func claimIn(stream, reader string) string { return claimSubject + stream + "." + reader }

// on returns what is to be published to a stream with, so that it is refused if
// somebody else has claimed the reader since.
func (c claim) on(stream string) []jetstream.PublishOpt {
	if c.lease == nil {
		return nil
	}
	return []jetstream.PublishOpt{jetstream.WithExpectLastSequenceForSubject(c.sequences[stream], claimIn(stream, c.reader))}
}

// write does it, unless another bridge may own the reader. If one does, this one
// stops reading.
func (c claim) write(ctx context.Context, write func(context.Context) error) error {
	err := c.lease.check()
	if err == nil {
		if err = settling(ctx, write); c.lease != nil && isRefused(err) {
			err = fmt.Errorf("%w: %w", errNotOwner, err)
		}
	}
	if errors.Is(err, errNotOwner) {
		c.lease.lost(err)
	}
	return err
}

// isRefused says whether a record was not written because another one is there.
func isRefused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
