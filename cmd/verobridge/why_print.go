package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/story"
)

// whyWidth is the width that text is broken at: that of a terminal nobody has
// widened.
const whyWidth = 80

// whyPrinter writes stories for people.
type whyPrinter struct{ out io.Writer }

func (p whyPrinter) print(t told) error {
	var b strings.Builder
	switch {
	case len(t.Events) > 0:
		for i := range t.Events {
			if i > 0 {
				b.WriteString("\n")
			}
			p.event(&b, &t.Events[i])
		}
	case t.nothing():
		p.nothing(&b, t.ID)
	default:
		p.person(&b, t.ID, t.Person)
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

func (p whyPrinter) event(b *strings.Builder, s *story.Story) {
	fmt.Fprintln(b, paint(p.out, bold, printable(cmp.Or(s.Event, s.Type, "event")+" "+s.MessageID)))
	line := "from " + cmp.Or(s.Source, "an unknown source")
	if s.Type != "" && s.Event != "" {
		line = s.Type + " " + line
	}
	if who := cmp.Or(s.UserID, s.AnonymousID); who != "" {
		line += ", by " + who
	}
	hanging(b, "", line)
	fmt.Fprintln(b)
	day := ""
	for _, step := range s.Steps {
		if step.At.IsZero() {
			hanging(b, strings.Repeat(" ", len("  15:04:05.000  ")), step.Text)
			continue
		}
		if d := step.At.Format(time.DateOnly); d != day {
			day = d
			fmt.Fprintf(b, "  %s (UTC)\n", paint(p.out, faint, day))
		}
		hanging(b, "  "+step.At.Format("15:04:05.000")+"  ", step.Text)
	}
	fmt.Fprintln(b)
	p.verdict(b, "Why", s.Verdict)
	for _, note := range s.Notes {
		fmt.Fprintln(b)
		p.verdict(b, "Also", note)
	}
}

func (p whyPrinter) person(b *strings.Builder, id string, t *story.Timeline) {
	fmt.Fprintln(b, paint(p.out, bold, printable(id)))
	for _, known := range []struct {
		what string
		ids  []string
	}{{"user", t.Users}, {"visitor", t.Visitors}, {"address", t.Addresses}} {
		if others := slices.DeleteFunc(slices.Clone(known.ids), func(other string) bool { return other == id }); len(others) > 0 {
			hanging(b, "also "+known.what+" ", strings.Join(others, ", "))
		}
	}
	fmt.Fprintln(b)
	day := ""
	for _, e := range slices.Backward(t.Entries) {
		if d := e.At.Format(time.DateOnly); d != day {
			day = d
			fmt.Fprintf(b, "  %s (UTC)\n", paint(p.out, faint, day))
		}
		text := e.Text
		if e.What == "event" {
			text = cmp.Or(e.Event, e.Type)
			for _, place := range e.Places {
				text += fmt.Sprintf(" · %s %s", place.Destination, place.Status)
			}
			text += " · " + e.ID
		}
		hanging(b, "  "+e.At.Format("15:04:05")+"  ", text)
	}
	if t.Next != nil {
		fmt.Fprintln(b, "  older ones are left out; --limit shows more")
	}
	fmt.Fprintln(b)
	p.verdict(b, "Why", t.Verdict)
	for _, note := range t.Notes {
		fmt.Fprintln(b)
		p.verdict(b, "Also", note)
	}
}

func (p whyPrinter) verdict(b *strings.Builder, head string, v story.Verdict) {
	cause := v.Cause
	if head == "Also" && v.Where != "" {
		cause = v.Where + ": " + cause
	}
	hanging(b, paint(p.out, bold, head)+strings.Repeat(" ", 6-len(head)), cause)
	if v.Detail != "" {
		hanging(b, "      ", v.Detail)
	}
	if v.Cure != "" {
		hanging(b, paint(p.out, bold, "Do")+"    ", v.Cure)
	}
	fmt.Fprintf(b, "      %s\n", paint(p.out, faint, v.Code))
}

func (p whyPrinter) nothing(b *strings.Builder, id string) {
	hanging(b, "", fmt.Sprintf("Nothing is known by %q, neither as a messageId nor as a person.", id))
	fmt.Fprintln(b)
	for _, hint := range []string{
		"It never reached the bridge: look at the app's log, at the host that its SDK posts to, and whether it flushes before it ends.",
		"Its request was refused and is not in the sample that is kept: select * from verobridge.refusals order by at desc.",
		"It came in just now, or Postgres was away: reports are written when it is back.",
		"It is older than what is kept of deliveries; its row is still in its source's tables.",
		"The person was erased, and the events with them.",
		"The id is spelt otherwise: userIds and messageIds count upper and lower case apart.",
	} {
		hanging(b, "  - ", hint)
	}
}

// hanging writes a text behind a head, broken at blanks, its further lines indented
// as far as the first.
func hanging(b *strings.Builder, head, text string) {
	indent := visible(head)
	b.WriteString(head)
	column := indent
	for i, word := range strings.Fields(text) {
		if i > 0 && column+1+visible(word) > whyWidth {
			fmt.Fprintf(b, "\n%s", strings.Repeat(" ", indent))
			column = indent
		} else if i > 0 {
			b.WriteString(" ")
			column++
		}
		b.WriteString(printable(word))
		column += visible(word)
	}
	b.WriteString("\n")
}

// visible is how wide a text is, its colours apart.
func visible(text string) int {
	for _, colour := range []string{bold, faint, plain} {
		text = strings.ReplaceAll(text, colour, "")
	}
	return len([]rune(text))
}
