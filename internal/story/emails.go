package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoEmails says that there are no views on emails: the settings have no source
// of type vero, or it has not been set up yet.
var ErrNoEmails = errors.New("there is no source of type vero")

// emailDays is how far back campaigns are counted.
const emailDays = 90

// CampaignDay counts the emails of a campaign that were sent on a day, each once
// in each step, whenever the step happened. It is a row of email_analytics.funnel.
type CampaignDay struct {
	Source string
	// CampaignID and Campaign are empty where Vero did not say.
	CampaignID, Campaign string
	// Day is midnight in UTC.
	Day time.Time
	EmailCounts
}

// EmailCounts count emails by what happened to them. Opened and Clicked count all,
// by humans and by machines such as mail scanners.
type EmailCounts struct {
	Sent, Delivered             int64
	Opened, OpenedByHuman       int64
	Clicked, ClickedByHuman     int64
	Bounced, Unsubscribed, Spam int64
}

// Add returns the sum.
func (c EmailCounts) Add(more EmailCounts) EmailCounts {
	return EmailCounts{
		Sent: c.Sent + more.Sent, Delivered: c.Delivered + more.Delivered,
		Opened: c.Opened + more.Opened, OpenedByHuman: c.OpenedByHuman + more.OpenedByHuman,
		Clicked: c.Clicked + more.Clicked, ClickedByHuman: c.ClickedByHuman + more.ClickedByHuman,
		Bounced: c.Bounced + more.Bounced, Unsubscribed: c.Unsubscribed + more.Unsubscribed, Spam: c.Spam + more.Spam,
	}
}

// Emails returns the campaigns of the last 90 days, the oldest day first. They are
// counted by the view of analysts, which reads every email event: that takes
// seconds where there are many, so the answer may be some time old.
func (s *Store) Emails(ctx context.Context) (Snapshot[[]CampaignDay], error) {
	return s.emails.get(ctx)
}

func (s *Store) readEmails(ctx context.Context) (days []CampaignDay, err error) {
	err = s.readSlowly(ctx, func(tx pgx.Tx) error {
		var exists bool
		if err := tx.QueryRow(ctx, "select to_regclass('email_analytics.funnel') is not null").Scan(&exists); err != nil {
			return err
		}
		if !exists {
			return ErrNoEmails
		}
		rows, err := tx.Query(ctx, `
			select source, coalesce(campaign_id, ''), coalesce(campaign_name, ''), day, sent, delivered, opened, opened_by_human,
			       clicked, clicked_by_human, bounced, unsubscribed, spam
			from email_analytics.funnel where day > $1::date
			order by day, source, campaign_id`, s.now().UTC().AddDate(0, 0, -emailDays))
		if err != nil {
			return err
		}
		days, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d CampaignDay, err error) {
			return d, row.Scan(&d.Source, &d.CampaignID, &d.Campaign, &d.Day, &d.Sent, &d.Delivered, &d.Opened, &d.OpenedByHuman,
				&d.Clicked, &d.ClickedByHuman, &d.Bounced, &d.Unsubscribed, &d.Spam)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count emails: %w", err)
	}
	return days, nil
}

// readSlowly answers a question that reads a lot: with memory enough not to sort
// on disk, and on one processor, which is what those who deliver can spare.
func (s *Store) readSlowly(ctx context.Context, question func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select set_config('work_mem', '64MB', true), set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)")
		if err != nil {
			return err
		}
		return question(tx)
	})
}
