package story

import (
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// mailedCauses are what came of an event that was delivered.
var mailedCauses = []cause{
	// Delivered to Vero: what came of it, the worst first.
	{
		code:   "marked_as_spam",
		cause:  "Its email was sent, and marked as spam: Vero mails the person no more.",
		is:     mailed("spam", true),
		detail: emailDetail,
	},
	{
		code:   "bounced",
		cause:  "Its email was sent, and bounced: it did not reach the person.",
		cure:   "Correct the person's address.",
		is:     func(s *Story, p *Place) bool { return mailed("bounced", true)(s, p) && !has(s, "delivered", true) },
		detail: emailDetail,
	},
	{
		code:   "unsubscribed_by_it",
		cause:  "Its email was delivered, and the person unsubscribed from it.",
		is:     mailed("unsubscribed", true),
		detail: emailDetail,
	},
	{
		code:   "clicked",
		cause:  "Its email was sent, delivered, and a link in it was clicked.",
		good:   true,
		is:     mailed("clicked", false),
		detail: emailDetail,
	},
	{
		code:   "opened",
		cause:  "Its email was sent, delivered and opened.",
		good:   true,
		is:     mailed("opened", false),
		detail: emailDetail,
	},
	{
		code:   "opened_by_machine",
		cause:  "Its email was delivered and opened, likely by a machine (such as Apple's mail privacy), not by the person.",
		good:   true,
		is:     func(s *Story, p *Place) bool { return mailed("opened", true)(s, p) || mailed("clicked", true)(s, p) },
		detail: emailDetail,
	},
	{
		code:   "delivered_not_opened",
		cause:  "Its email was sent and delivered, and nobody has opened it yet, as far as that can be told.",
		good:   true,
		is:     mailed("delivered", true),
		detail: emailDetail,
	},
	{
		code:   "sent_not_delivered",
		cause:  "Its email was sent, and the recipient's mail server has not taken it yet.",
		cure:   "Nothing to do for some hours; then look at the email in Vero.",
		is:     mailed("sent", true),
		detail: emailDetail,
	},
	{
		code:   "repeated_event",
		cause:  "Vero dropped it, because it equals an earlier event of the person within five minutes.",
		cure:   "Set mapping.dedup of the destination to message_id, the default: the messageId keeps real repetitions apart.",
		is:     unmailed(func(s *Story) bool { return s.Twin != "" }),
		detail: func(s *Story, _ *Place) string { return "the earlier one is " + s.Twin },
	},
	{
		code:   "marked_as_spam_before",
		cause:  "Vero has it and sent no email: the person marked an earlier one as spam.",
		is:     unmailed(func(s *Story) bool { return !s.Before.Spam.IsZero() }),
		detail: func(s *Story, _ *Place) string { return "at " + s.Before.Spam.Format(time.RFC3339) },
	},
	{
		code:   "unsubscribed_before",
		cause:  "Vero has it and sent no email: the person has unsubscribed.",
		cure:   "Only the person can subscribe again.",
		is:     unmailed(func(s *Story) bool { return !s.Before.Unsubscribed.IsZero() }),
		detail: func(s *Story, _ *Place) string { return "at " + s.Before.Unsubscribed.Format(time.RFC3339) },
	},
	{
		code:   "bounced_before",
		cause:  "Vero has it and sent no email: an earlier email to the person bounced.",
		cure:   "Correct the person's address with an identify call.",
		is:     unmailed(func(s *Story) bool { return !s.Before.Bounced.IsZero() }),
		detail: func(s *Story, _ *Place) string { return "at " + s.Before.Bounced.Format(time.RFC3339) },
	},
	{
		code:  "no_address",
		cause: "Vero has it, and no e-mail address of the person is known here, so there may be nobody to mail.",
		cure:  "Identify the person with an email trait.",
		is:    unmailed(func(s *Story) bool { return !s.Addressed && !recent(s) }),
	},
	{
		code:  "no_email_reports",
		cause: "Vero has it, and no report of any email has ever come from Vero.",
		cure:  "Connect Vero's webhooks or its Segment integration to the bridge; the console's Setup page has the address.",
		is:    unmailed(func(s *Story) bool { return !s.AnyEmails && !recent(s) }),
	},
	{
		code:  "no_email_yet",
		cause: "Vero has it, and has reported no email yet.",
		cure:  "Wait some minutes, and ask again.",
		is:    unmailed(recent),
	},
	{
		code:  "no_email",
		cause: "Vero has it, and has reported no email for it.",
		cure:  "Look in Vero whether a workflow or campaign that is on is triggered by this event, and whether its conditions fit the person.",
		is:    sentToVero,
	},

	// Delivered elsewhere.
	{
		code:  "not_an_event",
		cause: "Vero has it. Calls of this type change the person's profile and trigger no email.",
		good:  true,
		is: func(_ *Story, p *Place) bool {
			return p != nil && p.Type == veroType && p.Status == delivery.StatusDelivered
		},
	},
	{
		code:  "vero_reported_it",
		cause: "It is Vero's own report of an email, and is in the warehouse.",
		good:  true,
		is: func(s *Story, p *Place) bool {
			return s.SourceType == veroType && p != nil && p.Type == warehouseType && p.Status == delivery.StatusDelivered
		},
	},
	{
		code:  "loaded_only",
		cause: "It is in the warehouse, and its source names no other destination.",
		cure:  "Add vero to destinations of the source if it should trigger emails.",
		good:  true,
		is: func(_ *Story, p *Place) bool {
			return p != nil && p.Type == warehouseType && p.Status == delivery.StatusDelivered
		},
	},
	{
		code:  "delivered",
		cause: "It was delivered.",
		good:  true,
		is:    at(delivery.StatusDelivered),
	},
	{
		code:  "unknown",
		cause: "What is known of it does not say what became of it.",
		cure:  "Look at the steps, and at the log of verobridge.",
		is:    func(*Story, *Place) bool { return true },
	},
}
