package console

import (
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/story"
)

// The span is the days up to today; campaigns come by how many emails they sent,
// and the funnel and the days are those of the chosen one.
func TestEmailsOfSpanAndCampaign(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 10, 23, 30, 0, 0, time.UTC)
	day := func(n int) time.Time { return time.Date(2026, 6, n, 0, 0, 0, 0, time.UTC) }
	rows := []story.CampaignDay{
		{Source: "vero", CampaignID: "1", Campaign: "Old", Day: day(3), EmailCounts: story.EmailCounts{Sent: 100}}, // before the span
		{Source: "vero", CampaignID: "1", Campaign: "Old", Day: day(4), EmailCounts: story.EmailCounts{Sent: 2, Delivered: 2, Opened: 2, OpenedByHuman: 1}},
		{Source: "vero", CampaignID: "1", Campaign: "New", Day: day(10), EmailCounts: story.EmailCounts{Sent: 3, Delivered: 2, Bounced: 1}},
		{Source: "vero", CampaignID: "2", Day: day(10), EmailCounts: story.EmailCounts{Sent: 9}},
		{Source: "vero", Day: day(9), EmailCounts: story.EmailCounts{Sent: 1}},
	}
	all := emailsView{Span: 7}
	all.show(rows, nil, now)
	if len(all.Days) != 7 || !all.Days[0].Day.Equal(day(4)) || all.Days[6].Sent != 12 {
		t.Errorf("days %+v", all.Days)
	}
	var titles []string
	for _, c := range all.Campaigns {
		titles = append(titles, c.Title())
	}
	if got := strings.Join(titles, ", "); got != "Campaign 2, New, Emails without a campaign" {
		t.Errorf("campaigns %s", got)
	}
	if sent := all.Funnel[0]; sent.Emails != 15 {
		t.Errorf("sent %+v", sent)
	}

	one := emailsView{Span: 7}
	one.show(rows, &campaign{Source: "vero", ID: "1"}, now)
	if one.Campaign.Title() != "New" || one.Days[6].Sent != 3 || one.Days[0].OpenedByHuman != 1 {
		t.Errorf("campaign %+v, days %+v", one.Campaign, one.Days)
	}
	opened := one.Funnel[2]
	if opened.Emails != 2 || opened.Human != 1 || opened.Machine() != 1 || opened.Share != 0.5 || opened.Of != "delivered" {
		t.Errorf("opened %+v", opened)
	}
	if !strings.Contains(string(opened.Bar), `class="human" width="20.00"`) || !strings.Contains(string(opened.Bar), `class="machine" x="20.00" width="20.00"`) {
		t.Errorf("the bar of opened is %s", opened.Bar)
	}
}

// Campaigns beyond those that are listed are in the sum of the others.
func TestEmailsSumsUpCampaigns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	var rows []story.CampaignDay
	for n := range maxCampaigns + 3 {
		rows = append(rows, story.CampaignDay{Source: "vero", CampaignID: string(rune('A' + n)), Day: now, EmailCounts: story.EmailCounts{Sent: int64(n + 1)}})
	}
	var v emailsView
	v.Span = 7
	v.show(rows, nil, now)
	if len(v.Campaigns) != maxCampaigns || v.More != 3 || v.MoreTotal.Sent != 1+2+3 {
		t.Errorf("%d campaigns, %d more with %+v", len(v.Campaigns), v.More, v.MoreTotal)
	}
}
