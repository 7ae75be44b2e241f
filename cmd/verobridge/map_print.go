package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/preview"
)

// mapPrinter shows what becomes of calls, in words or as JSON.
type mapPrinter struct {
	out  io.Writer
	json bool
}

// mapped shows one call with its requests, or why there are none.
func (p mapPrinter) mapped(m preview.Result) {
	if p.json {
		p.line(m)
		return
	}
	fmt.Fprintln(p.out, paint(p.out, bold, headOf(m)))
	for _, r := range m.Requests {
		fmt.Fprintf(p.out, "  %s %s\n  %s\n", r.Method, r.URL, indented(r.Body))
	}
	if m.Reason != string(delivery.ReasonDelivered) {
		fmt.Fprintf(p.out, "  %s: %s\n", m.Reason, m.Detail)
	}
	fmt.Fprintln(p.out)
}

// difference shows a call that two settings map to other requests.
func (p mapPrinter) difference(d mapDifference) {
	switch {
	case p.json:
		p.line(d)
		return
	case len(d.Changes) == 0:
		return
	}
	fmt.Fprintln(p.out, paint(p.out, bold, headOf(d.Old)))
	for _, c := range d.Changes {
		fmt.Fprintf(p.out, "  %s %s %s\n", c.Kind, c.Method, c.URL)
		for _, f := range c.Fields {
			if f.Old != nil {
				fmt.Fprintln(p.out, paint(p.out, red, fmt.Sprintf("    - %s: %s", f.Path, f.Old)))
			}
			if f.New != nil {
				fmt.Fprintln(p.out, paint(p.out, green, fmt.Sprintf("    + %s: %s", f.Path, f.New)))
			}
		}
	}
	if d.Old.Reason != d.New.Reason {
		fmt.Fprintf(p.out, "  %s -> %s: %s\n", d.Old.Reason, d.New.Reason, d.New.Detail)
	}
	fmt.Fprintln(p.out)
}

func (p mapPrinter) summary(s mapSummary) {
	if p.json {
		p.line(s)
		return
	}
	fmt.Fprintf(p.out, "%d of %d events differ; requests: %d added, %d removed, %d changed\n", s.Differ, s.Events, s.Added, s.Removed, s.Changed)
}

// line writes a value as one line of JSON, as readable as the bodies in it are.
func (p mapPrinter) line(v any) {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the reader has gone
}

// headOf names a call: track "Signed Up" from app (m-1).
func headOf(m preview.Result) string {
	if m.Type == "" {
		return "a call from " + m.Source
	}
	head := string(m.Type)
	if m.Event != "" {
		head += fmt.Sprintf(" %q", m.Event)
	}
	return fmt.Sprintf("%s from %s (%s)", head, m.Source, m.MessageID)
}

// indented is a body for people; only the space between its parts is other.
func indented(body []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, body, "  ", "  "); err != nil {
		return string(body)
	}
	return b.String()
}
