package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// CallFile is a file of Segment calls: each line is one as JSON, or a batch of
// them, {"batch":[…]}, as SDKs send it.
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
	// importLines and importBytes bound what is read before it is loaded, by whole
	// lines.
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
	for size := 0; len(batch) < importLines && size < importBytes; {
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
		for c := range im.calls(line, whole, fmt.Sprintf("line %d of %s", number, origin)) {
			s.counts.Read++
			switch {
			case c.skipped != "":
				s.counts.skip(string(c.skipped), 1)
				continue
			case suppressed(c.item.event):
				s.counts.skip(string(delivery.ReasonSuppressed), 1)
				continue
			case c.refused != "":
				s.counts.reject(c.refused, 1)
			case c.undated:
				s.counts.Undated++
			}
			batch = append(batch, c)
		}
	}
	if err := im.bring(ctx, origin, batch, &s.counts); err != nil {
		return false, err
	}
	return done, broken
}

// calls makes candidates of a line: of the call that it is, or of the calls of a
// batch, as SDKs send it. What is no call is kept as rejected.
func (im *Import) calls(line []byte, whole bool, place string) iter.Seq[candidate] {
	raw := append([]byte(nil), line...)
	return func(yield func(candidate) bool) {
		switch {
		case !whole:
			yield(im.refused(raw, place, reasonNotJSON, "the line is longer than any call and was cut"))
			return
		case !gjson.ValidBytes(raw):
			yield(im.refused(raw, place, reasonNotJSON, "the line is not valid JSON"))
			return
		}
		stamp := event.Stamp{Source: im.Source, ReceivedAt: im.loader.now()}
		envelope := gjson.ParseBytes(raw)
		batch := envelope.Get("batch")
		if !batch.IsArray() || envelope.Get("type").Exists() {
			yield(im.call(raw, stamp, place))
			return
		}
		stamp.SentAt = envelope.Get("sentAt").String()
		stamp.Context, stamp.Integrations = object(envelope.Get("context")), object(envelope.Get("integrations"))
		number := 0
		batch.ForEach(func(_, call gjson.Result) bool {
			number++
			return yield(im.call([]byte(call.Raw), stamp, fmt.Sprintf("call %d of %s", number, place)))
		})
	}
}

// object returns a JSON object, nil for what is none.
func object(v gjson.Result) []byte {
	if !v.IsObject() {
		return nil
	}
	return []byte(v.Raw)
}

// call makes a candidate of a call.
func (im *Import) call(raw []byte, stamp event.Stamp, place string) candidate {
	e, err := event.Restore(raw, stamp)
	var refused *event.RejectError
	if errors.As(err, &refused) {
		return im.refused(raw, place, refused.Reason, refused.Detail)
	}
	outcomes := make([]delivery.Outcome, 1)
	items := im.mapper.items([]event.Event{e}, outcomes)
	switch o := outcomes[0]; {
	case len(items) == 1:
		return candidate{item: items[0], place: place, raw: func() []byte { return raw }, undated: isUndated(raw)}
	case o.Status() == delivery.StatusSkipped:
		return candidate{skipped: o.Reason()}
	default:
		return im.refused(raw, place, string(o.Reason()), o.Detail())
	}
}

// refused makes a candidate of what is no call.
func (im *Import) refused(raw []byte, place, reason, detail string) candidate {
	return candidate{item: im.rejected(raw, place, &event.RejectError{Reason: reason, Detail: detail}), refused: reason}
}

// isUndated says whether a call has a receivedAt that is no time.
func isUndated(raw []byte) bool {
	at := gjson.GetBytes(raw, "receivedAt")
	_, ok := event.ParseTime(at.String())
	return at.Exists() && at.Type != gjson.Null && !ok
}
