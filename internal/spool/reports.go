package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"github.com/verobridge/verobridge/internal/delivery"
)

// reportsCursor is the name of the cursor in the reports stream.
const reportsCursor = "reports"

// report keeps what became of events until the warehouse has it, in as many
// records as it takes.
func (s *Spool) report(ctx context.Context, reports []delivery.Report) error {
	var record []byte
	write := func() error {
		if err := s.publish(ctx, reportsSubject, s2.Encode(nil, record)); err != nil {
			return fmt.Errorf("write reports: %w", err)
		}
		record = record[:0]
		return nil
	}
	for _, r := range reports {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		if len(record) > 0 && len(record)+len(line) > maxRecord {
			if err := write(); err != nil {
				return err
			}
		}
		record = append(append(record, line...), '\n')
	}
	if len(record) == 0 {
		return nil
	}
	return write()
}

// DrainReports hands the reports of all destinations to write, in the order in
// which they were made, until ctx ends. A batch is repeated until write takes
// it, so write must be idempotent; after a crash the last batch comes again.
func (s *Spool) DrainReports(ctx context.Context, write func(context.Context, []delivery.Report) error) error {
	cursor, err := s.openCursor(ctx, reportsStream, reportsCursor)
	if err != nil {
		return fmt.Errorf("drain reports: %w", err)
	}
	for failed := 0; ctx.Err() == nil; {
		err := s.passOn(ctx, cursor, write)
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		if failed++; failed == 1 {
			s.log.Warn("cannot write delivery reports; they are kept and tried again", "error", err)
		}
		sleep(ctx, s.o.Probe.wait(failed))
		if err := cursor.rewind(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot go back to the first unwritten report", "error", err)
		}
	}
	return nil
}

func (s *Spool) passOn(ctx context.Context, c *cursor, write func(context.Context, []delivery.Report) error) error {
	records, err := c.next(ctx, idleWait)
	if err != nil || len(records) == 0 {
		return err
	}
	var reports []delivery.Report
	for _, record := range records {
		some, err := decodeReports(record.Data())
		if err != nil {
			s.log.Error("a record of delivery reports cannot be read; it is passed over", "error", err)
			continue
		}
		reports = append(reports, some...)
	}
	if err := write(ctx, reports); err != nil {
		return err
	}
	return c.settled(ctx, records[len(records)-1])
}

// decodeReports reads the reports of a record, one JSON value a line.
func decodeReports(record []byte) ([]delivery.Report, error) {
	text, err := s2.Decode(nil, record)
	if err != nil {
		return nil, err
	}
	var reports []delivery.Report
	for lines := json.NewDecoder(bytes.NewReader(text)); ; {
		var r delivery.Report
		switch err := lines.Decode(&r); {
		case errors.Is(err, io.EOF):
			return reports, nil
		case err != nil:
			return nil, err
		}
		reports = append(reports, r)
	}
}
