package story

import (
	"fmt"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// causes are all verdicts on events, in the order in which they are tried: what
// happened at the door, what an event waits for, what became of it, and what
// became of its emails. docs/why.md lists them.
var causes = slices.Concat(doorCauses, waitingCauses, endedCauses, mailedCauses)

// quiet are the verdicts that are not worth a note about a destination that nobody
// asked about.
var quiet = map[string]bool{"not_routed": true, "before_the_route": true, "on_its_way": true, "queued": true, "unknown": true}

// lateAfter is how much later than its arrival a row may be without a remark.
const lateAfter = time.Minute

// remarks are said beside the verdict.
var remarks = []cause{
	{
		code:  "withheld_from_browser",
		cause: "It was delivered without the e-mail address, phone number, push channel or tags in it, which a browser may not set.",
		cure:  "Send them from a server.",
		is:    at(delivery.StatusDelivered, delivery.ReasonBrowserWithheld),
	},
	{
		code:   "tags_refused",
		cause:  "It was delivered without its tags, which the destination refused.",
		cure:   "The answer says why.",
		is:     at(delivery.StatusDelivered, delivery.ReasonTagsRefused),
		detail: answerDetail,
	},
	{
		code:  "too_many_products",
		cause: "It was delivered without its Ordered Product events, because the order has too many products.",
		is:    at(delivery.StatusDelivered, delivery.ReasonManyProducts),
	},
	{
		code:  "loaded_late",
		cause: "Its row came late: the warehouse was away, or behind.",
		is: func(s *Story, _ *Place) bool {
			w := s.place(warehouseName)
			return w != nil && w.Status == delivery.StatusDelivered && w.SettledAt.Sub(s.ReceivedAt) > lateAfter
		},
		detail: func(s *Story, _ *Place) string {
			return fmt.Sprintf("%s after it came", s.place(warehouseName).SettledAt.Sub(s.ReceivedAt).Round(time.Second))
		},
	},
	{
		code:  "values_set_aside",
		cause: "Some of its values did not fit their columns; they are null there and kept in discards.",
		cure:  "verobridge repair gives a column another type and puts them in.",
		is:    func(s *Story, _ *Place) bool { return len(s.Discards) > 0 },
		detail: func(s *Story, _ *Place) string {
			d := s.Discards[0]
			return fmt.Sprintf("%d, the first is %s of %s", len(s.Discards), d.Column, d.Table)
		},
	},
}

func untilDetail(what string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return what + t.Format(time.RFC3339)
}
