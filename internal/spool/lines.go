package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// publishLines writes values as JSON, one a line, compressed, in as few records
// as it takes.
func publishLines[T any](ctx context.Context, s *Spool, subject string, values []T) error {
	var lines, line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // it would write one byte as six
	flush := func() error {
		if lines.Len() == 0 {
			return nil
		}
		err := s.publish(ctx, subject, s2.Encode(nil, lines.Bytes()))
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
