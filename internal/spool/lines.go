package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
)

// publishLines writes values as JSON, one a line, compressed, in as few records
// as it takes.
func publishLines[T any](ctx context.Context, s *Spool, subject string, values []T, o ...jetstream.PublishOpt) error {
	var lines, line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // it would write one byte as six
	flush := func() error {
		if lines.Len() == 0 {
			return nil
		}
		err := s.publish(ctx, subject, s2.Encode(nil, lines.Bytes()), o...)
		lines.Reset()
		return err
	}
	for _, v := range values {
		line.Reset()
		if err := encoder.Encode(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
		if lines.Len()+line.Len() > maxRecord {
			if err := flush(); err != nil {
				return err
			}
		}
		lines.Write(line.Bytes())
	}
	return flush()
}

// decodeLines reads what publishLines wrote into one record.
func decodeLines[T any](record []byte) ([]T, error) {
	text, err := s2.Decode(nil, record)
	if err != nil {
		return nil, err
	}
	var values []T
	for lines := json.NewDecoder(bytes.NewReader(text)); ; {
		var v T
		switch err := lines.Decode(&v); {
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, err
		}
		values = append(values, v)
	}
}
