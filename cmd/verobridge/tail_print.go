package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// tailPrinter shows what comes in words, or as JSON.
type tailPrinter struct {
	out        io.Writer
	json, fate bool
}

func (p tailPrinter) show(l tailLine) error {
	if p.json {
		encoder := json.NewEncoder(p.out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(l)
	}
	switch {
	case l.Event != nil:
		return p.line(p.eventText(*l.Event))
	case l.Report != nil && p.fate:
		return p.line(p.reportText(*l.Report))
	case l.Missed > 0:
		return p.line(paint(p.out, faint, fmt.Sprintf("… %d left out: more comes in than can be shown; filter it", l.Missed)))
	}
	return nil
}

func (p tailPrinter) line(text string) error {
	_, err := fmt.Fprintln(p.out, text)
	return err
}

// Widths of the columns, in characters.
const (
	sourceWidth, typeWidth, nameWidth, personWidth = 10, 8, 28, 40
)

func column(text string, width int) string {
	return fmt.Sprintf("%-*s", width, short(printable(text), width))
}

// typeColours tell the types of calls apart at a glance.
var typeColours = map[event.Type]string{event.Track: green, event.Identify: blue, event.Alias: blue, event.Group: blue, event.Rejected: red}

// eventText is one line on an event: when, from where, what, about whom.
func (p tailPrinter) eventText(l eventLine) string {
	e := l.event()
	kind := column(string(e.Type), typeWidth)
	if colour := typeColours[e.Type]; colour != "" {
		kind = paint(p.out, colour, kind)
	}
	what := e.Name()
	if e.Type == event.Rejected {
		what = e.Get("reason").String()
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s", p.time(e.ReceivedAt), column(e.Source, sourceWidth), kind,
		column(orDash(what), nameWidth), short(printable(orDash(e.UserID(), e.AnonymousID(), e.Email())), personWidth))
}

// statusColours say how bad a fate is, which its word says, too.
var statusColours = map[delivery.Status]string{
	delivery.StatusDelivered: green, delivery.StatusWaiting: yellow, delivery.StatusHeld: yellow,
	delivery.StatusDead: red, delivery.StatusAmbiguous: red,
}

// reportText is one line on what became of an event somewhere, below the columns of
// the event.
func (p tailPrinter) reportText(r delivery.Report) string {
	status := string(r.Status)
	if colour := statusColours[r.Status]; colour != "" {
		status = paint(p.out, colour, status)
	}
	at := r.SettledAt
	if at.IsZero() {
		at = time.Now()
	}
	text := fmt.Sprintf("%s  %s  └ %s: %s", p.time(at), column(r.Source, sourceWidth), r.Destination, status)
	if r.Status != delivery.StatusDelivered {
		text += ", " + printable(r.Detail)
	}
	return text + paint(p.out, faint, fmt.Sprintf("  %s %s", printable(orDash(r.Event, string(r.Type))), printable(orDash(r.UserID, r.AnonymousID))))
}

func (p tailPrinter) time(t time.Time) string {
	return paint(p.out, faint, t.Local().Format("15:04:05.000"))
}
