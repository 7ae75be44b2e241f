package story

import (
	"encoding/json"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Story is all that is known of one event of one source, or of a request in which
// it was refused.
type Story struct {
	MessageID   string    `json:"message_id"`
	Source      string    `json:"source,omitempty"` // "" where a request had no known write key
	SourceType  string    `json:"source_type,omitempty"`
	Type        string    `json:"type,omitempty"`
	Event       string    `json:"event,omitempty"`
	UserID      string    `json:"user_id,omitempty"`
	AnonymousID string    `json:"anonymous_id,omitempty"`
	Library     string    `json:"library,omitempty"` // the SDK and its version
	ReceivedAt  time.Time `json:"received_at"`

	// Refusals are requests with it that were refused as a whole, Rejections the
	// times that it was refused inside an accepted one.
	Refusals   []Refusal   `json:"refusals,omitempty"`
	Rejections []Rejection `json:"rejections,omitempty"`

	// Places are the destinations of its source, the warehouse first, and those
	// that it had to do with before.
	Places []Place `json:"places,omitempty"`
	// HeldUntil is when it is given up, if it is held.
	HeldUntil time.Time `json:"held_until,omitzero"`

	// Tables are those that have a row of it; Row is the one that says most.
	Tables []string        `json:"tables,omitempty"`
	Row    json.RawMessage `json:"row,omitempty"`
	// Discards are its values that did not fit their columns.
	Discards []Discarded `json:"discards,omitempty"`

	// Addressed says that an e-mail address of the person is known.
	Addressed bool `json:"addressed"`
	// Emails are the ones that it triggered, as far as that can be told, and
	// Before what happened to earlier ones of the person.
	Emails []Email   `json:"emails,omitempty"`
	Before Reachable `json:"before,omitzero"`
	// AnyEmails says that Vero has ever reported an email, of whomever.
	AnyEmails bool `json:"any_emails"`
	// Twin is an earlier event of the person that Vero takes for the same.
	Twin string `json:"twin,omitempty"`

	Steps   []Step    `json:"steps"`
	Verdict Verdict   `json:"verdict"`
	Notes   []Verdict `json:"notes,omitempty"`

	now time.Time
}

// Refusal is a request that was refused as a whole.
type Refusal struct {
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Source   string    `json:"source,omitempty"`
	Key      string    `json:"write_key,omitempty"` // its beginning
	Requests int64     `json:"requests"`
}

// Rejection is a call that was refused inside an accepted request.
type Rejection struct {
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"received_at"`
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail"`
	Body       string    `json:"body"`
}

// Place is a destination, and what became of the event there.
type Place struct {
	Destination string `json:"destination"`
	Type        string `json:"type,omitempty"` // postgres, vero, segment

	// Routed says that its source names the destination, since RoutedSince.
	Routed      bool      `json:"routed"`
	RoutedSince time.Time `json:"routed_since,omitzero"`

	// Status is "" while there is no report.
	Status    delivery.Status `json:"status,omitempty"`
	Reason    delivery.Reason `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"`
	Attempts  int             `json:"attempts,omitempty"`
	Calls     []delivery.Call `json:"calls,omitempty"`
	SettledAt time.Time       `json:"settled_at,omitzero"`

	Standing Standing `json:"standing,omitzero"`
}

// Standing is how a destination stands as a whole.
type Standing struct {
	State         string          `json:"state"` // running, paused, gone; "" unknown
	Reason        delivery.Reason `json:"reason,omitempty"`
	Detail        string          `json:"detail,omitempty"`
	Since         time.Time       `json:"since,omitzero"`
	BehindSince   time.Time       `json:"behind_since,omitzero"`
	CompleteUntil time.Time       `json:"complete_until,omitzero"`
	UpdatedAt     time.Time       `json:"updated_at,omitzero"`
}

// Discarded is a value that did not fit its column.
type Discarded struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Value  string `json:"value"`
	Reason string `json:"reason,omitempty"`
}

// Email is one email and what Vero reported of it.
type Email struct {
	Message  string       `json:"message"` // what names it
	Campaign string       `json:"campaign,omitempty"`
	Subject  string       `json:"subject,omitempty"`
	Trigger  string       `json:"trigger,omitempty"` // the event that Vero says triggered it
	Events   []EmailEvent `json:"events"`

	broadcast bool // no event triggered it
}

// EmailEvent is something that happened to an email.
type EmailEvent struct {
	Step   string    `json:"step"` // sent, delivered, opened, clicked, bounced, unsubscribed, spam
	At     time.Time `json:"at"`
	Detail string    `json:"detail,omitempty"` // the link, or the kind of bounce
	// Machine is why a machine is the likely cause of an open or click, "" if a
	// person is.
	Machine string `json:"machine,omitempty"`
	ID      string `json:"message_id"`
	Source  string `json:"source"`
}

// Reachable says since when emails do not reach a person, by each cause; zero
// times are causes that there are none of.
type Reachable struct {
	Unsubscribed time.Time `json:"unsubscribed,omitzero"`
	Bounced      time.Time `json:"bounced,omitzero"`
	Spam         time.Time `json:"spam,omitzero"`
}

// Step is one thing that happened.
type Step struct {
	// At is zero for what has not happened yet. Such steps are the last.
	At time.Time `json:"at,omitzero"`
	// What is a stable name: received, refused, rejected, loaded, called,
	// delivered, skipped, held, waiting, dead, ambiguous, and the steps of emails
	// with email_ before.
	What string `json:"what"`
	// Where is the source, the destination or the campaign.
	Where string `json:"where,omitempty"`
	// Text is a sentence.
	Text string `json:"text"`
}

// place returns a destination of the story, nil if there is none.
func (s *Story) place(destination string) *Place {
	for i := range s.Places {
		if s.Places[i].Destination == destination {
			return &s.Places[i]
		}
	}
	return nil
}

// Focus is the destination that people ask about: the first one of type vero,
// else the first that is not the warehouse, else the warehouse. It is nil for what
// was never accepted.
func (s *Story) Focus() *Place {
	var focus *Place
	rank := func(p *Place) int {
		switch {
		case p == nil:
			return 0
		case p.Type == warehouseType:
			return 1
		case p.Type == veroType && (p.Routed || p.Status != ""):
			return 3
		default:
			return 2
		}
	}
	for i := range s.Places {
		if rank(&s.Places[i]) > rank(focus) {
			focus = &s.Places[i]
		}
	}
	return focus
}

// The types of destinations.
const (
	warehouseType = "postgres"
	veroType      = "vero"
	// warehouseName is the name of the warehouse among the destinations.
	warehouseName = "warehouse"
)
