package console

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/verobridge/verobridge/internal/story"
)

// emailRanges are the spans that the page Emails offers, in days.
var emailRanges = []int{7, 30, 90}

// maxCampaigns is how many campaigns are listed; the others are summed up.
const maxCampaigns = 100

// emailsView is what the page Emails shows.
type emailsView struct {
	// Missing says that there is no source of type vero.
	Missing bool
	// At is as of when emails were counted, zero if they never were. Pending says
	// that they are being counted.
	At      time.Time
	Pending bool
	Ranges  []emailRange
	Span    int // in days
	// Campaign is the one that is shown, nil for all.
	Campaign *campaign
	Funnel   []funnelStep
	// Days are all of the span, the oldest first.
	Days      []emailDay
	Chart     template.HTML
	Campaigns []campaign
	// More sums up the campaigns that are not listed.
	More      int
	MoreTotal story.EmailCounts
}

type emailRange struct {
	Days    int
	Path    string
	Current bool
}

// campaign is a campaign of one source with its emails of the span.
type campaign struct {
	Source, ID, Name string
	story.EmailCounts
	Path string
}

// emailDay is a day with the emails that were sent on it.
type emailDay struct {
	Day time.Time
	story.EmailCounts
}

func (c *Console) emails(r *http.Request) (any, error) {
	q := r.URL.Query()
	v := emailsView{Span: 30}
	if days, err := strconv.Atoi(q.Get("days")); err == nil && slices.Contains(emailRanges, days) {
		v.Span = days
	}
	var chosen *campaign
	if q.Has("campaign") || q.Has("source") {
		chosen = &campaign{Source: q.Get("source"), ID: q.Get("campaign")}
	}
	for _, days := range emailRanges {
		v.Ranges = append(v.Ranges, emailRange{days, emailsPath(days, chosen), days == v.Span})
	}
	counted, err := c.o.Story.Emails(r.Context())
	switch {
	case errors.Is(err, story.ErrNoEmails):
		v.Missing = true
		return v, nil
	case err != nil:
		return nil, away(err)
	}
	v.At, v.Pending = counted.At, counted.Pending
	v.show(counted.Value, chosen, c.o.Now())
	return v, nil
}

// emailsPath is the address of a span, of one campaign if there is one.
func emailsPath(days int, only *campaign) string {
	values := url.Values{"days": {strconv.Itoa(days)}}
	if only != nil {
		values.Set("source", only.Source)
		values.Set("campaign", only.ID)
	}
	return "/emails?" + values.Encode()
}

// show sums up the days of the span: all campaigns, and the chosen one.
func (v *emailsView) show(rows []story.CampaignDay, chosen *campaign, now time.Time) {
	today := now.UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-v.Span)
	for day := range v.Span {
		v.Days = append(v.Days, emailDay{Day: first.AddDate(0, 0, day)})
	}
	all := make(map[[2]string]*campaign)
	var total story.EmailCounts
	for _, row := range rows {
		index := int(row.Day.Sub(first).Hours() / 24)
		if index < 0 || index >= v.Span {
			continue
		}
		key := [2]string{row.Source, row.CampaignID}
		if all[key] == nil {
			all[key] = &campaign{Source: row.Source, ID: row.CampaignID}
			all[key].Path = emailsPath(v.Span, all[key])
		}
		if row.Campaign != "" { // the latest name
			all[key].Name = row.Campaign
		}
		all[key].EmailCounts = all[key].Add(row.EmailCounts)
		if chosen == nil || key == [2]string{chosen.Source, chosen.ID} {
			total = total.Add(row.EmailCounts)
			v.Days[index].EmailCounts = v.Days[index].Add(row.EmailCounts)
		}
	}
	if chosen != nil {
		v.Campaign = cmp.Or(all[[2]string{chosen.Source, chosen.ID}], chosen)
	}
	for _, found := range all {
		v.Campaigns = append(v.Campaigns, *found)
	}
	slices.SortFunc(v.Campaigns, func(a, b campaign) int {
		return cmp.Or(cmp.Compare(b.Sent, a.Sent), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	if len(v.Campaigns) > maxCampaigns {
		for _, left := range v.Campaigns[maxCampaigns:] {
			v.MoreTotal = v.MoreTotal.Add(left.EmailCounts)
		}
		v.More = len(v.Campaigns) - maxCampaigns
		v.Campaigns = v.Campaigns[:maxCampaigns]
	}
	v.Funnel, v.Chart = funnelOf(total), dayChart(v.Days)
}

// Title is what people call the campaign.
func (c campaign) Title() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.ID != "":
		return "Campaign " + c.ID
	default:
		return "Emails without a campaign"
	}
}

// funnelStep is one step of the funnel with its bar.
type funnelStep struct {
	Name string
	// Emails are all of the step; Human those of them that a human took, where
	// that is a question.
	Emails, Human int64
	Split         bool
	// Share is that of the step before it counts from, and Of its name.
	Share float64
	Of    string
	Bar   template.HTML
}

// funnelOf takes the steps that emails go through, and what ends them.
func funnelOf(n story.EmailCounts) []funnelStep {
	steps := []funnelStep{
		{Name: "Sent", Emails: n.Sent},
		{Name: "Delivered", Emails: n.Delivered, Of: "sent", Share: share(n.Delivered, n.Sent)},
		{Name: "Opened", Emails: n.Opened, Human: n.OpenedByHuman, Split: true, Of: "delivered", Share: share(n.Opened, n.Delivered)},
		{Name: "Clicked", Emails: n.Clicked, Human: n.ClickedByHuman, Split: true, Of: "delivered", Share: share(n.Clicked, n.Delivered)},
		{Name: "Bounced", Emails: n.Bounced, Of: "sent", Share: share(n.Bounced, n.Sent)},
		{Name: "Unsubscribed", Emails: n.Unsubscribed, Of: "delivered", Share: share(n.Unsubscribed, n.Delivered)},
		{Name: "Marked as spam", Emails: n.Spam, Of: "delivered", Share: share(n.Spam, n.Delivered)},
	}
	most := max(n.Sent, n.Delivered, n.Opened, n.Bounced, 1)
	for i, step := range steps {
		human := step.Emails
		if step.Split {
			human = step.Human
		}
		steps[i].Bar = bar(float64(human)/float64(most), float64(step.Emails-human)/float64(most))
	}
	return steps
}

// Machine is how many of the step only machines took.
func (s funnelStep) Machine() int64 { return s.Emails - s.Human }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Rates are what people compare campaigns by: how many of the delivered emails a
// human opened, and clicked.
func (c campaign) Rates() string {
	if c.Delivered == 0 {
		return "–"
	}
	return fmt.Sprintf("%s / %s", formatPercent(share(c.OpenedByHuman, c.Delivered)), formatPercent(share(c.ClickedByHuman, c.Delivered)))
}
