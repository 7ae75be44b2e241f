package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// CallFile is a file of Segment calls, one JSON object a line.
type CallFile struct {
	// Origin names it, for progress and for where a rejected line was.
	Origin string
	// Open opens it at its beginning.
	Open func() (CallLines, error)
}

// CallLines are the lines of a file.
type CallLines interface {
	// Next returns the next line that is not blank, with its number, and whether
	// that is the whole of it. The line is valid until the next call. After the
	// last one the error is io.EOF.
	Next() (number int64, line []byte, whole bool, err error)
	// Digest tells the lines read so far from any others.
	Digest() string
	// Close closes the file.
	Close() error
}

const (
	// importLines and importBytes bound what is read before it is loaded.
	importLines = 5000
	importBytes = 32 << 20
)

// reasonNotJSON is the reason of a line that is no JSON at all.
const reasonNotJSON = "not_json"

// Calls imports a file of calls, each by the tables and rules of one that
// arrives now. It goes on where an earlier import of the file was, if the lines
// up to there are still the same.
func (im *Import) Calls(ctx context.Context, file CallFile) (ImportCounts, error) {
	if err := im.loader.Prepare(ctx); err != nil {
		return ImportCounts{}, err
	}
	s, err := im.state(ctx, file.Origin)
	if err != nil {
		return ImportCounts{}, err
	}
	lines, s, err := resume(file, s)
	if err != nil {
		return ImportCounts{}, err
	}
	defer func() { _ = lines.Close() }()
	for {
		done, err := im.callsBatch(ctx, file.Origin, lines, &s)
		if err != nil {
			return s.counts, err
		}
		s.digest, s.finished = lines.Digest(), done
		if err := im.save(ctx, file.Origin, s); err != nil {
			return s.counts, err
		}
		im.Progress(ImportProgress{Origin: file.Origin, Read: s.counts.Read})
		if done {
			return s.counts, nil
		}
	}
}

// resume opens a file and reads on to where the last import was. Where the file
// is another one by now, it begins anew.
func resume(file CallFile, s importState) (CallLines, importState, error) {
	lines, err := file.Open()
	if err != nil {
		return nil, s, err
	}
	last, _ := strconv.ParseInt(s.position, 10, 64) // "" for none
	if last == 0 {
		return lines, importState{}, nil
	}
	for number := int64(0); number < last && err == nil; {
		number, _, _, err = lines.Next()
	}
	if err == nil && lines.Digest() == s.digest {
		return lines, s, nil
	}
	_ = lines.Close()
	lines, err = file.Open()
	return lines, importState{}, err
}

// callsBatch reads and loads a batch of lines. It returns whether it was the
// last. Lines before one that cannot be read are loaded.
func (im *Import) callsBatch(ctx context.Context, origin string, lines CallLines, s *importState) (done bool, err error) {
	suppressed, err := im.Erased(ctx)
	if err != nil {
		return false, err
	}
	im.mapper.memory.reset() // of the batch before
	var batch []candidate
	var broken error
	for n, size := 0, 0; n < importLines && size < importBytes; n++ {
		number, line, whole, err := lines.Next()
		if err != nil {
			done = true
			if !errors.Is(err, io.EOF) {
				broken = err
			}
			break
		}
		size += len(line)
		s.position = strconv.FormatInt(number, 10)
		s.counts.Read++
		c, skipped := im.call(line, whole, fmt.Sprintf("line %d of %s", number, origin))
		switch {
		case skipped != "":
			s.counts.skip(string(skipped), 1)
		case suppressed(c.item.event):
			s.counts.skip(string(delivery.ReasonSuppressed), 1)
		default:
			if c.refused != "" {
				s.counts.reject(c.refused, 1)
			}
			batch = append(batch, c)
		}
	}
	if err := im.bring(ctx, origin, batch, &s.counts); err != nil {
		return false, err
	}
	return done, broken
}

// call makes a candidate of a line, one that is kept as rejected where it is no
// call. skipped is the reason of what is not wanted.
func (im *Import) call(line []byte, whole bool, place string) (c candidate, skipped delivery.Reason) {
	raw := append([]byte(nil), line...)
	refuse := func(why *event.RejectError) (candidate, delivery.Reason) {
		return candidate{item: im.rejected(raw, place, why), refused: why.Reason}, ""
	}
	switch {
	case !whole:
		return refuse(&event.RejectError{Reason: reasonNotJSON, Detail: "the line is longer than any call and was cut"})
	case !gjson.ValidBytes(raw):
		return refuse(&event.RejectError{Reason: reasonNotJSON, Detail: "the line is not valid JSON"})
	}
	e, err := event.Restore(raw, event.Stamp{Source: im.Source, ReceivedAt: im.loader.now()})
	var refused *event.RejectError
	if errors.As(err, &refused) {
		return refuse(refused)
	}
	outcomes := make([]delivery.Outcome, 1)
	items := im.mapper.items([]event.Event{e}, outcomes)
	switch o := outcomes[0]; {
	case len(items) == 1:
		return candidate{item: items[0], place: place, raw: func() []byte { return raw }}, ""
	case o.Status() == delivery.StatusSkipped:
		return candidate{}, o.Reason()
	default:
		return refuse(&event.RejectError{Reason: string(o.Reason()), Detail: o.Detail()})
	}
}
