package spool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/verobridge/verobridge/internal/delivery"
)

// deadLetter is what the dead stream keeps: why an event failed for good, and
// the event itself; or a record that could not be read.
type deadLetter struct {
	Report delivery.Report `json:"report"`
	Body   json.RawMessage `json:"body,omitempty"`
	Record []byte          `json:"record,omitempty"`
}

// bury keeps events that would always fail, all of one destination.
func (s *Spool) bury(ctx context.Context, letters []deadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	for i, l := range letters {
		if l.Body != nil && !json.Valid(l.Body) { // it would not encode; bytes always do
			letters[i].Body, letters[i].Record = nil, l.Body
		}
	}
	if err := publishLines(ctx, s, deadSubject+letters[0].Report.Destination, letters); err != nil {
		return fmt.Errorf("keep dead letters: %w", err)
	}
	s.metrics.buried(letters[0].Report.Destination, len(letters))
	return nil
}

// buryRecord keeps a record that cannot be read, byte for byte.
func (s *Spool) buryRecord(ctx context.Context, destination string, record []byte, why error) error {
	return s.bury(ctx, []deadLetter{{
		Report: delivery.Report{
			Destination: destination,
			Status:      delivery.StatusDead,
			Reason:      delivery.ReasonUnreadable,
			Detail:      why.Error(),
		},
		Record: record,
	}})
}
