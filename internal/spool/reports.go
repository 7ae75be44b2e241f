package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
)

// reportsReader is who reads the reports stream.
const reportsReader = "reports"

// report keeps what became of events until the warehouse has it.
func (s *Spool) report(ctx context.Context, reports []delivery.Report) error {
	if err := publishLines(ctx, s, reportsSubject, reports); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	return nil
}

// DrainReports hands the reports of all destinations to write, in the order in
// which they were made, until ctx ends. A batch is repeated until write takes
// it, so write must be idempotent; after a crash the last batch comes again. Of
// the bridges that share a cluster one does it.
func (s *Spool) DrainReports(ctx context.Context, write func(context.Context, []delivery.Report) error) error {
	return s.asOwner(ctx, reportsReader, func(ctx context.Context, l *lease) error { return s.drainReports(ctx, l, write) })
}

func (s *Spool) drainReports(ctx context.Context, l *lease, write func(context.Context, []delivery.Report) error) error {
	claim, err := s.claim(ctx, l, reportsReader)
	if err != nil {
		return fmt.Errorf("drain reports: %w", err)
	}
	done, err := s.loadProgress(ctx, reportsStream, reportsReader)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("drain reports: %w", err)
	}
	cursor := s.newCursor(reportsStream, done.Next)
	for failed := 0; ctx.Err() == nil; {
		records, err := cursor.read(ctx, idleWait)
		if err != nil && ctx.Err() == nil {
			failed++
			s.log.Error("cannot read delivery reports; trying again", "error", err)
			s.clock.sleep(ctx, s.o.Probe.wait(failed))
			continue
		}
		if failed = 0; len(records) == 0 {
			continue
		}
		if !s.passOn(ctx, s.decodeAll(records), write) {
			return nil
		}
		done.Next = cursor.next
		save := func(ctx context.Context) error {
			return s.saveProgress(ctx, reportsReader, done, claim.on(cursorsStream)...)
		}
		if err := claim.write(ctx, save); err != nil && !errors.Is(err, errNotOwner) {
			s.log.Error("cannot write down which reports are written; they may be written again", "error", err)
		}
	}
	return nil
}

// passOn writes reports, again and again until that succeeds or ctx ends. It
// reports whether they are written.
func (s *Spool) passOn(ctx context.Context, reports []delivery.Report, write func(context.Context, []delivery.Report) error) bool {
	for failed := 1; ctx.Err() == nil; failed++ {
		err := write(ctx, reports)
		if err == nil {
			return true
		}
		if failed == 1 && ctx.Err() == nil {
			s.log.Warn("cannot write delivery reports; they are kept and tried again", "error", err)
		}
		s.clock.sleep(ctx, s.o.Probe.wait(failed))
	}
	return false
}

func (s *Spool) decodeAll(records []jetstream.Msg) []delivery.Report {
	var reports []delivery.Report
	for _, record := range records {
		some, err := decodeLines[delivery.Report](record.Data())
		if err != nil {
			s.log.Error("a record of delivery reports cannot be read; it is passed over", "error", err)
			continue
		}
		reports = append(reports, some...)
	}
	return reports
}

// AwaitReports waits until what became of events so far is written where
// DrainReports writes it, or ctx ends.
func (s *Spool) AwaitReports(ctx context.Context) error {
	stream, err := s.js.Stream(ctx, reportsStream)
	if err != nil {
		return fmt.Errorf("wait for delivery reports: %w", err)
	}
	const look = 50 * time.Millisecond
	for s.doneBy(reportsReader) < stream.CachedInfo().State.LastSeq {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for delivery reports: %w", err)
		}
		sleep(ctx, look)
	}
	return nil
}
