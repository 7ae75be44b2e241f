package spool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// deadLetter is what the dead stream keeps: why an event failed for good, and
// the event itself; or a record that could not be read.
type deadLetter struct {
	Report delivery.Report `json:"report"`
	Body   json.RawMessage `json:"body,omitempty"`
	Record []byte          `json:"record,omitempty"`
}

// bury keeps an event that would always fail.
func (s *Spool) bury(ctx context.Context, r delivery.Report, e event.Event) error {
	return s.keepDead(ctx, deadLetter{Report: r, Body: e.Body})
}

// buryRecord keeps a record that cannot be read, byte for byte.
func (s *Spool) buryRecord(ctx context.Context, destination string, record []byte, why error) error {
	return s.keepDead(ctx, deadLetter{
		Report: delivery.Report{
			Destination: destination,
			Status:      delivery.StatusDead,
			Reason:      delivery.ReasonUnreadable,
			Detail:      why.Error(),
		},
		Record: record,
	})
}

func (s *Spool) keepDead(ctx context.Context, l deadLetter) error {
	letter, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	if err := s.publish(ctx, deadSubject+l.Report.Destination, letter); err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	return nil
}
