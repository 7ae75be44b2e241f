package story

import (
	"cmp"
	"fmt"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Verdict says in one sentence why things are as they are, and in another what to
// do about it.
type Verdict struct {
	// Code is stable.
	Code string `json:"code"`
	// Level says how it stands: good, note or bad.
	Level Level `json:"level"`
	// Cause and Cure are sentences. Cure is "" where nothing is to be done.
	Cause string `json:"cause"`
	Cure  string `json:"cure,omitempty"`
	// Where is the destination that it is about, "" for the door.
	Where string `json:"where,omitempty"`
	// Detail is what was said in this very case, such as Vero's answer.
	Detail string `json:"detail,omitempty"`
}

// Level is how good or bad a verdict is.
type Level string

// The levels. What waits, or was not wanted, is a note.
const (
	Good Level = "good"
	Note Level = "note"
	Bad  Level = "bad"
)

// cause is one row of the table of causes (causes.go).
type cause struct {
	code  string
	cause string
	cure  string
	// good says that all went as it should. Defaults to false.
	good bool
	// is says whether a story ends so. focus is nil where it was never accepted.
	is func(s *Story, focus *Place) bool
	// detail adds what was said in this case. Defaults to nothing.
	detail func(s *Story, focus *Place) string
}

// judge returns the verdict on an event: the first cause of the table that fits.
// It is a pure function of what was read.
func judge(s *Story) Verdict {
	return firstOf(causes, s, s.Focus())
}

func firstOf(list []cause, s *Story, p *Place) Verdict {
	for _, c := range list {
		if c.is(s, p) {
			return c.verdict(s, p)
		}
	}
	panic("the last cause fits everything")
}

func (c cause) verdict(s *Story, focus *Place) Verdict {
	v := Verdict{Code: c.code, Level: c.level(focus), Cause: c.cause, Cure: c.cure}
	if focus != nil {
		v.Where = focus.Destination
	}
	if c.detail != nil {
		v.Detail = c.detail(s, focus)
	}
	return v
}

func (c cause) level(p *Place) Level {
	switch {
	case c.good:
		return Good
	case p == nil, p.Status == delivery.StatusDead, p.Status == delivery.StatusAmbiguous:
		return Bad
	default:
		return Note
	}
}

// notes returns what else somebody who asks should know: what is not well at the
// other destinations, and values that were set aside.
func notes(s *Story) []Verdict {
	focus := s.Focus()
	var list []Verdict
	for i := range s.Places {
		p := &s.Places[i]
		if p == focus || p.Status == delivery.StatusDelivered {
			continue
		}
		if v := firstOf(causes, s, p); !quiet[v.Code] {
			list = append(list, v)
		}
	}
	for _, c := range remarks {
		if focus != nil && c.is(s, focus) {
			list = append(list, c.verdict(s, focus))
		}
	}
	return list
}

// The conditions of the table.

// refusedAs is a request refused with this reason that nothing came after.
func refusedAs(reason string) func(*Story, *Place) bool {
	return func(s *Story, focus *Place) bool {
		return focus == nil && len(s.Rejections) == 0 && len(s.Refusals) > 0 && s.Refusals[len(s.Refusals)-1].Reason == reason
	}
}

func refusalDetail(s *Story, _ *Place) string {
	r := s.Refusals[len(s.Refusals)-1]
	key := ""
	if r.Key != "" {
		key = ", with a write key that begins with " + r.Key
	}
	return fmt.Sprintf("%s at %s%s: %s", r.Reason, r.At.Format(time.RFC3339), key, r.Detail)
}

// rejectedAs is a call refused with this reason inside an accepted request.
func rejectedAs(reason string) func(*Story, *Place) bool {
	return func(s *Story, focus *Place) bool {
		return focus == nil && len(s.Rejections) > 0 && s.Rejections[len(s.Rejections)-1].Reason == reason
	}
}

func rejectionDetail(s *Story, _ *Place) string { return s.Rejections[len(s.Rejections)-1].Detail }

// at is an event with this status and one of these reasons, of all if there are
// none.
func at(status delivery.Status, reasons ...delivery.Reason) func(*Story, *Place) bool {
	return func(_ *Story, p *Place) bool {
		if p == nil || p.Status != status {
			return false
		}
		for _, r := range reasons {
			if p.Reason == r {
				return true
			}
		}
		return len(reasons) == 0
	}
}

func placeDetail(_ *Story, p *Place) string { return p.Detail }

// answerDetail is the destination's last answer.
func answerDetail(_ *Story, p *Place) string {
	if len(p.Calls) == 0 {
		return p.Detail
	}
	last := p.Calls[len(p.Calls)-1]
	return fmt.Sprintf("%s answered %d %s", p.Destination, last.Status, cmp.Or(last.Answer, last.Error))
}

// untold is an event that a destination of its source has said nothing about yet.
func untold(s *Story, p *Place) bool {
	return p != nil && p.Status == "" && p.Routed && !s.ReceivedAt.Before(p.RoutedSince)
}

// waits is an event that waits, or that nothing is said about yet.
func waits(s *Story, p *Place) bool {
	return p != nil && (p.Status == delivery.StatusWaiting || untold(s, p))
}

// pausedBy is an event that waits because its destination is paused for a reason.
func pausedBy(reasons ...delivery.Reason) func(*Story, *Place) bool {
	return func(s *Story, p *Place) bool {
		if !waits(s, p) || p.Standing.State != "paused" {
			return false
		}
		for _, r := range reasons {
			if p.Standing.Reason == r {
				return true
			}
		}
		return len(reasons) == 0
	}
}

func standingDetail(_ *Story, p *Place) string {
	return fmt.Sprintf("paused since %s: %s", p.Standing.Since.Format(time.RFC3339), p.Standing.Detail)
}

// silentAfter is for how long the bridge may say nothing before it counts as
// stopped. It writes how destinations stand every few seconds.
const silentAfter = time.Minute

func silent(s *Story, p *Place) bool {
	return waits(s, p) && !p.Standing.UpdatedAt.IsZero() && s.now.Sub(p.Standing.UpdatedAt) > silentAfter
}

// complete is an event that must have a report by what the bridge promises.
func complete(s *Story, p *Place) bool {
	return untold(s, p) && s.ReceivedAt.Before(p.Standing.CompleteUntil)
}

// sentToVero is a track call that Vero has taken.
func sentToVero(s *Story, p *Place) bool {
	return p != nil && p.Type == veroType && p.Status == delivery.StatusDelivered && s.Type == "track"
}

// mailed is an event whose emails had a step, by a person or by whomever.
func mailed(step string, machineToo bool) func(*Story, *Place) bool {
	return func(s *Story, p *Place) bool {
		return sentToVero(s, p) && has(s, step, machineToo)
	}
}

func has(s *Story, step string, machineToo bool) bool {
	for _, mail := range s.Emails {
		for _, e := range mail.Events {
			if e.Step == step && (machineToo || e.Machine == "") {
				return true
			}
		}
	}
	return false
}

// emailDetail names the email and when it came to its last step.
func emailDetail(s *Story, _ *Place) string {
	if len(s.Emails) == 0 {
		return ""
	}
	mail := s.Emails[len(s.Emails)-1]
	last := mail.Events[len(mail.Events)-1]
	return fmt.Sprintf("%s, %s at %s", quoted(cmp.Or(mail.Campaign, mail.Subject, mail.Message)), last.Step, last.At.Format(time.RFC3339))
}

// unmailed is a track call that Vero has taken and sent no email for.
func unmailed(also func(*Story) bool) func(*Story, *Place) bool {
	return func(s *Story, p *Place) bool { return sentToVero(s, p) && len(s.Emails) == 0 && also(s) }
}

// emailPatience is for how long no email means nothing: Vero's workflows take a
// moment, and its reports another.
const emailPatience = 15 * time.Minute

func recent(s *Story) bool { return s.now.Sub(s.ReceivedAt) < emailPatience }
