package outbound

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mapping is the choices that one can make about how events become calls of
// Vero's Track API. Each has its value from the preset where it is left empty.
// The values segment and rudderstack mean: as that product's own destination
// for Vero does it.
type Mapping struct {
	// Names is the table of event names: default or none.
	Names string `yaml:"names"`
	// ID lists where the id of a person is taken from, the first that is there:
	// user_id, trait_id (event.Event.TraitID), anonymous_id, email.
	ID []string `yaml:"id"`
	// Email is where the address of a person is taken from. default: the traits,
	// else a userId that is an address. segment: the traits; such a userId only in
	// identify calls. rudderstack: the traits, else a property named email.
	Email string `yaml:"email"`
	// Traits is what becomes of the traits of an identify call. default: all but
	// id and email, which users/track has fields of its own for. segment: all, and
	// the id. rudderstack: those of the context first, all but email.
	Traits string `yaml:"traits"`
	// Nulls is what becomes of traits and properties that are null: keep, or drop.
	Nulls string `yaml:"nulls"`
	// Context is what Vero gets of the context, under names that it reserves.
	// default: language, timezone, ianaTimezone and userAgent, with identify
	// calls. segment: userAgent, also with events. rudderstack: timezone, locale
	// and userAgent as they are, with identify calls. none: nothing.
	Context string `yaml:"context"`
	// Push is the form of an app's push token. default: an array of channels.
	// rudderstack: one object. none: not sent.
	Push string `yaml:"push"`
	// Page is what becomes of page calls: default (Viewed page), segment
	// (viewed_page, with its url alone), rudderstack (Viewed Category Name Page)
	// or none, not sent.
	Page string `yaml:"page"`
	// Screen is what becomes of screen calls: default (Viewed screen),
	// rudderstack (Viewed Category Name Screen) or none, not sent.
	Screen string `yaml:"screen"`
	// Group is what becomes of group calls: users_track, users_edit (an endpoint
	// that Vero no longer documents) or none, not sent.
	Group string `yaml:"group"`
	// Unsubscribe is which track events change a subscription. exact: named
	// unsubscribe, unsubscribed, resubscribe or resubscribed. rudderstack: the
	// two without a d. segment: each with unsubscribe in its name, and none
	// resubscribes.
	Unsubscribe string `yaml:"unsubscribe"`
	// DeleteEvent is the name of the track event that deletes its person at
	// Vero. Empty is none.
	DeleteEvent string `yaml:"delete_event"`
	// OrderedProducts makes an event Ordered Product of each product of an
	// Order Completed, beside that event.
	OrderedProducts bool `yaml:"ordered_products"`
	// CreatedAt is the form of an event's time: iso, unix or none, not sent.
	CreatedAt string `yaml:"created_at"`
	// Source is what Vero shows as the source of an event, or none.
	Source string `yaml:"source"`
	// Dedup is what tells two equal events apart, which Vero would take for one
	// within minutes. message_id: the messageId, in the data. check_id: the
	// messageId in extras.check_id, which Vero looks at only where an event has no
	// data. timestamp: its time there, as RudderStack. none: nothing.
	Dedup string `yaml:"dedup"`
}

// The values of Mapping that stand for a way of doing it.
const (
	asDefault     = "default"
	asSegment     = "segment"
	asRudderStack = "rudderstack"
	asNone        = "none"

	nullsKeep = "keep"
	nullsDrop = "drop"

	groupUsersTrack = "users_track"
	groupUsersEdit  = "users_edit"

	unsubscribeExact = "exact"

	createdAtISO  = "iso"
	createdAtUnix = "unix"

	dedupMessageID = "message_id"
	dedupCheckID   = "check_id"
	dedupTimestamp = "timestamp"

	idOfUser      = "user_id"
	idOfTraits    = "trait_id"
	idOfAnonymous = "anonymous_id"
	idOfEmail     = "email"
)

// over returns the mapping with the preset's values where it has none.
func (m Mapping) over(preset Mapping) Mapping {
	if m.ID == nil {
		m.ID = preset.ID
	}
	return Mapping{
		Names:           cmp.Or(m.Names, preset.Names),
		ID:              m.ID,
		Email:           cmp.Or(m.Email, preset.Email),
		Traits:          cmp.Or(m.Traits, preset.Traits),
		Nulls:           cmp.Or(m.Nulls, preset.Nulls),
		Context:         cmp.Or(m.Context, preset.Context),
		Push:            cmp.Or(m.Push, preset.Push),
		Page:            cmp.Or(m.Page, preset.Page),
		Screen:          cmp.Or(m.Screen, preset.Screen),
		Group:           cmp.Or(m.Group, preset.Group),
		Unsubscribe:     cmp.Or(m.Unsubscribe, preset.Unsubscribe),
		DeleteEvent:     cmp.Or(m.DeleteEvent, preset.DeleteEvent),
		OrderedProducts: m.OrderedProducts || preset.OrderedProducts,
		CreatedAt:       cmp.Or(m.CreatedAt, preset.CreatedAt),
		Source:          cmp.Or(m.Source, preset.Source),
		Dedup:           cmp.Or(m.Dedup, preset.Dedup),
	}
}

// Problem is what is wrong with one setting of a destination.
type Problem struct {
	// Setting is its path below the destination, such as mapping.page.
	Setting string
	// Text says what is wrong and the cure, to be read after the path.
	Text string
}

func (p Problem) Error() string { return p.Setting + " " + p.Text }

// Problems returns what is wrong with the preset and all that changes it.
func (o VeroOptions) Problems() []Problem {
	preset, ok := presets[cmp.Or(o.Preset, PresetDefault)]
	if !ok {
		return []Problem{{"preset", fmt.Sprintf("must be %s, not %q", oneOf(slices.Sorted(maps.Keys(presets))), o.Preset)}}
	}
	found := append(o.Mapping.over(preset).problems(), o.Consent.Problems()...)
	for _, key := range slices.Sorted(maps.Keys(o.Events)) {
		found = append(found, o.Events[key].problems(key)...)
	}
	return found
}

// problems finds values that are not among those of their option.
func (m Mapping) problems() []Problem {
	var found []Problem
	for _, option := range []struct {
		name, value string
		allowed     []string
	}{
		{"names", m.Names, []string{asDefault, asNone}},
		{"email", m.Email, []string{asDefault, asSegment, asRudderStack}},
		{"traits", m.Traits, []string{asDefault, asSegment, asRudderStack}},
		{"nulls", m.Nulls, []string{nullsKeep, nullsDrop}},
		{"context", m.Context, []string{asDefault, asSegment, asRudderStack, asNone}},
		{"push", m.Push, []string{asDefault, asRudderStack, asNone}},
		{"page", m.Page, []string{asDefault, asSegment, asRudderStack, asNone}},
		{"screen", m.Screen, []string{asDefault, asRudderStack, asNone}},
		{"group", m.Group, []string{groupUsersTrack, groupUsersEdit, asNone}},
		{"unsubscribe", m.Unsubscribe, []string{unsubscribeExact, asSegment, asRudderStack}},
		{"created_at", m.CreatedAt, []string{createdAtISO, createdAtUnix, asNone}},
		{"dedup", m.Dedup, []string{dedupMessageID, dedupCheckID, dedupTimestamp, asNone}},
	} {
		if !slices.Contains(option.allowed, option.value) {
			found = append(found, Problem{"mapping." + option.name, fmt.Sprintf("must be %s, not %q", oneOf(option.allowed), option.value)})
		}
	}
	if m.DeleteEvent != "" && subscriptionPath(m.Unsubscribe, strings.TrimSpace(m.DeleteEvent)) != "" {
		found = append(found, Problem{"mapping.delete_event", fmt.Sprintf("is %q, which changes a subscription, so that whoever leaves would be deleted; choose another name", m.DeleteEvent)})
	}
	if len(m.ID) == 0 {
		found = append(found, Problem{"mapping.id", "is empty, so that nobody would be known; list where an id is taken from, such as [user_id]"})
	}
	for i, from := range m.ID {
		if allowed := []string{idOfUser, idOfTraits, idOfAnonymous, idOfEmail}; !slices.Contains(allowed, from) {
			found = append(found, Problem{fmt.Sprintf("mapping.id[%d]", i), fmt.Sprintf("must be %s, not %q", oneOf(allowed), from)})
		}
	}
	return found
}

// oneOf writes a list of values as in a sentence.
func oneOf(values []string) string {
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}
