package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/verobridge/verobridge/internal/event"
)

// A record is one byte of version and an s2 block. The block holds events one
// after the other: id, type, source and body, each with its length in front,
// and the time of arrival in nanoseconds.
const recordVersion = 1

var errRecord = errors.New("the record is damaged")

// frame appends one event in the form that a record holds.
func frame(buf []byte, e event.Event) []byte {
	for _, field := range []string{e.ID, string(e.Type), e.Source} {
		buf = binary.AppendUvarint(buf, uint64(len(field)))
		buf = append(buf, field...)
	}
	buf = binary.AppendVarint(buf, e.ReceivedAt.UnixNano())
	buf = binary.AppendUvarint(buf, uint64(len(e.Body)))
	return append(buf, e.Body...)
}

// seal makes a record of framed events.
func seal(frames []byte) []byte {
	buf := make([]byte, 1+s2.MaxEncodedLen(len(frames)))
	buf[0] = recordVersion
	return buf[:1+len(s2.Encode(buf[1:], frames))]
}

// Seal makes a record of events, as Append does of those that it joins.
func Seal(events []event.Event) []byte {
	var frames []byte
	for _, e := range events {
		frames = frame(frames, e)
	}
	return seal(frames)
}

// Unseal returns the events of a record. They share its memory.
func Unseal(record []byte) ([]event.Event, error) {
	if len(record) == 0 {
		return nil, errRecord
	}
	if record[0] != recordVersion {
		return nil, fmt.Errorf("the record has version %d, this program reads version %d", record[0], recordVersion)
	}
	frames, err := s2.Decode(nil, record[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	var events []event.Event
	for r := (frameReader{rest: frames}); len(r.rest) > 0; {
		e := event.Event{
			ID:         string(r.field()),
			Type:       event.Type(r.field()),
			Source:     string(r.field()),
			ReceivedAt: r.time(),
			Body:       r.field(),
		}
		if r.failed {
			return nil, errRecord
		}
		events = append(events, e)
	}
	return events, nil
}

// frameReader reads frames. The first thing that does not fit sets failed, and
// from then on there is nothing to read.
type frameReader struct {
	rest   []byte
	failed bool
}

func (r *frameReader) field() []byte {
	size, n := binary.Uvarint(r.rest)
	if n <= 0 || size > uint64(len(r.rest)-n) {
		return r.fail()
	}
	field := r.rest[n : n+int(size) : n+int(size)]
	r.rest = r.rest[n+int(size):]
	return field
}

func (r *frameReader) time() time.Time {
	nanos, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return time.Time{}
	}
	r.rest = r.rest[n:]
	return time.Unix(0, nanos).UTC()
}

func (r *frameReader) fail() []byte {
	r.rest, r.failed = nil, true
	return nil
}
