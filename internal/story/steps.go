package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/verobridge/verobridge/internal/delivery"
)

// steps puts what is known of an event in order. It is a pure function.
func steps(s *Story) []Step {
	var list []Step
	for _, r := range s.Refusals {
		list = append(list, Step{r.At, "refused", r.Source, "the request was refused: " + r.Detail})
	}
	for _, r := range s.Rejections {
		list = append(list, Step{r.ReceivedAt, "rejected", r.Source, "refused at the door: " + r.Detail})
	}
	if !s.ReceivedAt.IsZero() && len(s.Places) > 0 {
		text := "received from source " + s.Source
		if s.Library != "" {
			text += ", sent with " + s.Library
		}
		list = append(list, Step{s.ReceivedAt, "received", s.Source, text})
	}
	for _, p := range s.Places {
		list = append(list, placeSteps(s, p)...)
	}
	for _, mail := range s.Emails {
		for _, e := range mail.Events {
			list = append(list, e.step(mail))
		}
	}
	slices.SortStableFunc(list, func(a, b Step) int {
		return cmp.Or(boolCompare(a.At.IsZero(), b.At.IsZero()), a.At.Compare(b.At), cmp.Compare(course(a.What), course(b.What)))
	})
	return list
}

// course is how far an email has come with a step, 0 for what is no email's: Vero
// reports several in one second.
func course(what string) int {
	return slices.IndexFunc(emailTables, func(t emailTable) bool { return "email_"+t.step == what }) + 1
}

func placeSteps(s *Story, p Place) []Step {
	var list []Step
	for _, c := range p.Calls {
		answer := fmt.Sprintf("answer %d", c.Status)
		if c.Status == 0 {
			answer = "no answer"
		}
		if c.Error != "" {
			answer += ", " + c.Error
		}
		list = append(list, Step{c.At, "called", p.Destination, fmt.Sprintf("%s %s: %s", c.Method, c.URL, answer)})
	}
	at := p.SettledAt
	if at.IsZero() {
		at = s.now
	}
	switch {
	case p.Type == warehouseType && p.Status == delivery.StatusDelivered:
		list = append(list, Step{at, "loaded", p.Destination, "loaded into " + cmp.Or(strings.Join(s.Tables, ", "), "the warehouse")})
	case p.Status == delivery.StatusDelivered && p.Reason == delivery.ReasonDelivered:
		list = append(list, Step{at, "delivered", p.Destination, fmt.Sprintf("delivered to %s, attempt %d", p.Destination, max(p.Attempts, 1))})
	case p.Status != "":
		list = append(list, Step{at, string(p.Status), p.Destination, p.Destination + ": " + p.Detail})
	case p.Routed && !s.ReceivedAt.IsZero():
		list = append(list, Step{What: "waiting", Where: p.Destination, Text: p.Destination + ": nothing reported yet"})
	}
	return list
}

func (e EmailEvent) step(mail Email) Step {
	name := quoted(cmp.Or(mail.Campaign, mail.Subject, mail.Message))
	text := "email " + name + " " + e.Step
	switch e.Step {
	case "spam":
		text = "email " + name + " marked as spam"
	case "unsubscribed":
		text = "unsubscribed, from email " + name
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Machine != "" {
		text += ", likely by a machine (" + e.Machine + ")"
	}
	return Step{e.At, "email_" + e.Step, cmp.Or(mail.Campaign, mail.Message), text}
}

func quoted(text string) string { return `"` + text + `"` }
