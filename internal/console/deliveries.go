package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/story"
)

// deliveriesView is what the page Deliveries shows.
type deliveriesView struct {
	Form  deliveriesForm
	Fates story.Fates
	List  story.DeliveryList
	// Older leads to the next page, empty at the end.
	Older string
	// Statuses, Destinations and Sources are what the filter offers.
	Statuses              []delivery.Status
	Destinations, Sources []string
	// Retry leads to where all dead letters of the filter are sent again, empty
	// where it picks none.
	Retry string
	// Retried is how many were sent again a moment ago, empty if none were.
	Retried string
}

func (c *Console) deliveries(r *http.Request) (any, error) {
	q := r.URL.Query()
	form := formOf(q)
	filter, err := form.filter()
	if err != nil {
		return nil, err
	}
	after, err := parseCursor(q.Get("after"))
	if err != nil {
		return nil, err
	}
	v := deliveriesView{
		Form: form, Retried: q.Get("retried"),
		Statuses: []delivery.Status{
			delivery.StatusDelivered, delivery.StatusWaiting, delivery.StatusHeld, delivery.StatusSkipped, delivery.StatusDead, delivery.StatusAmbiguous,
		},
		Destinations: c.o.Destinations, Sources: c.o.Sources,
	}
	if v.List, err = c.o.Story.Deliveries(r.Context(), filter, after); err != nil {
		return nil, away(err)
	}
	if v.Fates, err = c.o.Story.Fates(r.Context(), filter.Since, filter.Until); err != nil {
		return nil, away(err)
	}
	if v.List.Next != nil {
		v.Older = "/deliveries?" + form.query("after", formatCursor(*v.List.Next))
	}
	switch filter.Status {
	case "", delivery.StatusDead, delivery.StatusAmbiguous:
		v.Retry = "/deliveries/retry?" + form.query()
	}
	return v, nil
}

// deliveriesForm is a filter as somebody types it.
type deliveriesForm struct {
	Status, Reason, Destination, Source, Event, Person, Message, Since, Until string
}

// fields are the names of the fields, as they are in an address.
func (f *deliveriesForm) fields() map[string]*string {
	return map[string]*string{
		"status": &f.Status, "reason": &f.Reason, "destination": &f.Destination, "source": &f.Source, "event": &f.Event,
		"person": &f.Person, "message": &f.Message, "since": &f.Since, "until": &f.Until,
	}
}

func formOf(values url.Values) (f deliveriesForm) {
	for name, field := range f.fields() {
		*field = strings.TrimSpace(values.Get(name))
	}
	return f
}

// query writes the filter as in an address, with more pairs of name and value.
func (f deliveriesForm) query(more ...string) string {
	values := url.Values{}
	for name, field := range f.Hidden() {
		values.Set(name, field)
	}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1]) //nolint:gosec // pairs: more has an even length
	}
	return values.Encode()
}

// Hidden are the fields for a form that hands the filter on.
func (f deliveriesForm) Hidden() map[string]string {
	values := make(map[string]string)
	for name, field := range f.fields() {
		if *field != "" {
			values[name] = *field
		}
	}
	return values
}

// Fate is the address of the deliveries of one fate, of the same time.
func (f deliveriesForm) Fate(fate story.Fate) string {
	only := deliveriesForm{
		Status: string(fate.Status), Reason: string(fate.Reason), Destination: fate.Destination, Since: f.Since, Until: f.Until,
	}
	return "/deliveries?" + only.query()
}

// Any says whether the filter picks at all.
func (f deliveriesForm) Any() bool { return f != deliveriesForm{} }

func (f deliveriesForm) filter() (filter story.DeliveryFilter, err error) {
	filter = story.DeliveryFilter{
		Status: delivery.Status(f.Status), Reason: delivery.Reason(f.Reason), Destination: f.Destination,
		Source: f.Source, Event: f.Event, Person: f.Person, MessageID: f.Message,
	}
	if filter.Since, err = parseMoment(f.Since); err == nil {
		filter.Until, err = parseMoment(f.Until)
	}
	return filter, err
}

// parseMoment reads a time in UTC, as a browser's field for it writes it.
func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badRequest("This is no time", "Go back and write the time like 2026-11-20T08:00, in UTC.")
}

// badRequest is the problem of a reader who asks for what there cannot be.
func badRequest(title, cure string) error {
	return &problem{http.StatusBadRequest, title, cure, nil}
}

// formatCursor writes a place in the list as one word.
func formatCursor(at story.DeliveryCursor) string {
	raw, _ := json.Marshal(at) // texts and a time
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseCursor(text string) (at story.DeliveryCursor, err error) {
	if text == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil {
		return at, badRequest("This is no place in the list", "Go to the newest deliveries and on from there.")
	}
	return at, nil
}

// letterKey writes the key of a delivery's dead letter as one word.
func letterKey(d story.Delivery) string {
	raw, _ := json.Marshal(LetterKey{d.Source, d.MessageID, d.Destination}) // texts
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseLetterKeys(words []string) ([]LetterKey, error) {
	var keys []LetterKey
	for _, word := range words {
		var key LetterKey
		raw, err := base64.RawURLEncoding.DecodeString(word)
		if err == nil {
			err = json.Unmarshal(raw, &key)
		}
		if err != nil {
			return nil, badRequest("This is no dead letter", "Go back to the deliveries and choose again.")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Choosable says whether there is something on the page that may be sent again.
func (v deliveriesView) Choosable() bool { return slices.ContainsFunc(v.List.Deliveries, retriable) }

// retriable says whether a delivery may have a dead letter.
func retriable(d story.Delivery) bool {
	return d.Status == delivery.StatusDead || d.Status == delivery.StatusAmbiguous
}
