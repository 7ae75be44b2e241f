package story

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// pageRows is how many deliveries a page has.
	pageRows = 50
	// searchRows is how many rows one question reads at most where no index knows
	// which of them match.
	searchRows = 10_000
)

// DeliveryFilter picks deliveries. Empty fields pick all.
type DeliveryFilter struct {
	Status      delivery.Status
	Reason      delivery.Reason
	Destination string
	Source      string
	Event       string
	MessageID   string
	// Person is a userId or an anonymousId.
	Person string
	// Since and Until bound the time of receipt: not before Since, before Until.
	Since, Until time.Time
}

// Delivery is what became of one event at one destination.
type Delivery struct {
	Source, MessageID, Destination string
	Type                           event.Type
	Event, UserID, AnonymousID     string
	Status                         delivery.Status
	Reason                         delivery.Reason
	Detail                         string
	Attempts                       int
	ReceivedAt                     time.Time
	SettledAt                      time.Time // zero while it is not settled
}

// DeliveryCursor is a place in the list of deliveries, which goes back in time.
// The zero value is its beginning.
type DeliveryCursor struct {
	ReceivedAt                     time.Time
	Source, MessageID, Destination string
}

// DeliveryList is a page of deliveries, the newest first.
type DeliveryList struct {
	Deliveries []Delivery
	// Next is where the list goes on, nil at its end.
	Next *DeliveryCursor
	// SearchedTo is set where the page has fewer rows than it could have because
	// the search was ended: what was received before has not been looked at.
	SearchedTo time.Time
}

// Deliveries returns the deliveries behind a place in the list. It reads a bounded
// number of rows, so it may end before the page is full: then the list says so.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter, after DeliveryCursor) (list DeliveryList, err error) {
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		p := f.path(after)
		if p.searches {
			if list.SearchedTo, err = p.horizon(ctx, tx); err != nil {
				return err
			}
		}
		if list.Deliveries, err = p.rows(ctx, tx, list.SearchedTo); err != nil {
			return err
		}
		switch found := list.Deliveries; {
		case len(found) > pageRows:
			last := found[pageRows-1]
			list.Deliveries = found[:pageRows]
			list.Next = &DeliveryCursor{last.ReceivedAt, last.Source, last.MessageID, last.Destination}
			list.SearchedTo = time.Time{}
		case !list.SearchedTo.IsZero():
			list.Next = &DeliveryCursor{ReceivedAt: list.SearchedTo}
		}
		return nil
	})
	if err != nil {
		return DeliveryList{}, fmt.Errorf("read deliveries: %w", err)
	}
	return list, nil
}

// path is how the rows of a filter are reached: along an index, backwards in time.
type path struct {
	// along are the conditions of indexes, one for each that leads to rows.
	along []string
	// where are all conditions.
	where string
	args  pgx.NamedArgs
	// searches says that rows of an index are read and left out.
	searches bool
}

// path chooses the index that leads to the fewest rows.
func (f DeliveryFilter) path(after DeliveryCursor) path {
	p := path{args: pgx.NamedArgs{
		"status": text(f.Status), "reason": text(f.Reason), "destination": text(f.Destination), "source": text(f.Source), "event": text(f.Event),
		"message_id": text(f.MessageID), "person": text(f.Person), "since": f.Since, "until": f.Until,
		"after": after.ReceivedAt, "after_source": text(after.Source), "after_message": text(after.MessageID), "after_destination": text(after.Destination),
	}}
	times := []string{"true"}
	if !f.Since.IsZero() {
		times = append(times, "received_at >= @since")
	}
	if !f.Until.IsZero() {
		times = append(times, "received_at < @until")
	}
	if !after.ReceivedAt.IsZero() {
		times = append(times, "(received_at, source, message_id, destination) < (@after, @after_source, @after_message, @after_destination)")
	}
	fate := equal("status", f.Status) + equal("reason", f.Reason) + equal("destination", f.Destination)
	rest := equal("source", f.Source) + equal("event", f.Event)
	when := strings.Join(times, " and ")
	switch {
	case f.MessageID != "":
		p.along = []string{"message_id = @message_id"}
		p.where = p.along[0]
		if f.Person != "" {
			p.where += " and (user_id = @person or anonymous_id = @person)"
		}
	case f.Person != "":
		p.along = []string{"user_id = @person", "anonymous_id = @person"}
		p.where = "(" + strings.Join(p.along, " or ") + ")"
		p.searches = true
	case f.Status != "" && f.Status != delivery.StatusDelivered:
		p.along = []string{"status <> 'delivered'" + fate} // all of it is in the index
		p.where = p.along[0]
		p.searches = rest != ""
	default:
		p.along = []string{"true"}
		p.where = "true"
		p.searches = fate+rest != ""
	}
	for i := range p.along {
		p.along[i] += " and " + when
	}
	p.where += fate + rest + " and " + when
	return p
}

// text is what people ask for as Postgres can be asked for it.
func text[T ~string](value T) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(value), "\uFFFD"), "\x00", "")
}

// equal is the condition that a column has the value of the argument of its name,
// nothing where that is empty.
func equal[T ~string](column string, value T) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(" and %[1]s = @%[1]s", column)
}

// horizon returns how far back the search goes: to where it has read as many rows
// of an index as it may. It is zero where there are fewer.
func (p path) horizon(ctx context.Context, tx pgx.Tx) (time.Time, error) {
	steps := make([]string, len(p.along))
	for i, along := range p.along {
		steps[i] = fmt.Sprintf("(select received_at from verobridge.deliveries where %s order by received_at desc offset %d limit 1)", along, searchRows-1)
	}
	var at *time.Time
	err := tx.QueryRow(ctx, "select max(received_at) from ("+strings.Join(steps, " union all ")+") step", p.args).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, err
	}
	return *at, nil
}

// rows returns one row more than a page has, if there is one.
func (p path) rows(ctx context.Context, tx pgx.Tx, horizon time.Time) ([]Delivery, error) {
	where := p.where
	if !horizon.IsZero() {
		p.args["horizon"] = horizon
		where += " and received_at >= @horizon"
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		select source, message_id, destination, type, coalesce(event, ''), coalesce(user_id, ''), coalesce(anonymous_id, ''),
		       status, reason, detail, attempts, received_at, settled_at
		from verobridge.deliveries where %s
		order by received_at desc, source desc, message_id desc, destination desc limit %d`, where, pageRows+1), p.args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Delivery, err error) {
		var settled *time.Time
		err = row.Scan(&d.Source, &d.MessageID, &d.Destination, &d.Type, &d.Event, &d.UserID, &d.AnonymousID,
			&d.Status, &d.Reason, &d.Detail, &d.Attempts, &d.ReceivedAt, &settled)
		if settled != nil {
			d.SettledAt = *settled
		}
		return d, err
	})
}
