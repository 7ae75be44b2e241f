package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/preview"
)

const (
	// offeredEvents is how many of the last events the page Mapping offers.
	offeredEvents = 20
	// maxCalls is how many calls it maps at once.
	maxCalls = 20
)

// Mapping says what Vero would get of calls.
type Mapping struct {
	// Comparers are those of the destinations of type vero, in the order of the
	// settings.
	Comparers []*preview.Comparer
	// Latest returns the last events, oldest first.
	Latest func(ctx context.Context, n int) ([]event.Event, error)
}

// mappingView is what the page Mapping shows.
type mappingView struct {
	Destinations, Sources []string
	Destination, Source   string
	// Calls is what was typed.
	Calls string
	// Wrong says where that is no JSON, empty if it is.
	Wrong string
	// Latest are the last events, the newest first.
	Latest  []event.Event
	Results []preview.Comparison
	// More is how many calls were left out.
	More int
}

func (c *Console) mapping(r *http.Request) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, &problem{http.StatusRequestEntityTooLarge, "That is too much", "Paste fewer events: a megabyte is mapped at once. verobridge map takes more.", nil}
	}
	v := mappingView{
		Sources: c.o.Sources, Source: r.Form.Get("source"), Destination: r.Form.Get("destination"),
		Calls: r.PostForm.Get("calls"),
	}
	for _, comparer := range c.o.Mapping.Comparers {
		v.Destinations = append(v.Destinations, comparer.Destination)
	}
	if len(v.Destinations) == 0 {
		return v, nil
	}
	if !slices.Contains(v.Destinations, v.Destination) {
		v.Destination = v.Destinations[0]
	}
	comparer := c.o.Mapping.Comparers[slices.Index(v.Destinations, v.Destination)]
	if !slices.Contains(v.Sources, v.Source) {
		v.Source = comparer.Source
	}
	latest, err := c.o.Mapping.Latest(r.Context(), offeredEvents)
	if err != nil {
		return nil, fmt.Errorf("read the last events: %w", err)
	}
	slices.Reverse(latest)
	v.Latest = latest

	calls, err := v.calls(c.o.Now(), r.Form.Get("event"))
	var syntax *preview.SyntaxError
	if errors.As(err, &syntax) {
		v.Wrong = syntax.Error()
	}
	for i, call := range calls {
		if i == maxCalls {
			v.More = len(calls) - maxCalls
			break
		}
		v.Results = append(v.Results, comparer.Compare(call))
	}
	return v, nil
}

// calls returns what is to be mapped: what was typed, or the one of the last
// events that was picked.
func (v *mappingView) calls(now time.Time, picked string) ([]preview.Call, error) {
	if v.Calls == "" && picked != "" {
		i := slices.IndexFunc(v.Latest, func(e event.Event) bool { return e.ID == picked })
		if i < 0 {
			return nil, nil
		}
		e := v.Latest[i]
		var body bytes.Buffer
		if err := json.Indent(&body, e.Body, "", "  "); err == nil {
			v.Calls, v.Source = body.String(), e.Source
		}
		return []preview.Call{{Event: e}}, nil
	}
	if strings.TrimSpace(v.Calls) == "" {
		return nil, nil
	}
	return preview.ParseCalls([]byte(v.Calls), v.Source, now)
}
