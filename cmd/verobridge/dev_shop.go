package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	analytics "github.com/segmentio/analytics-go/v3"
)

// newShopClient makes the client that apps use, as they would configure it.
func newShopClient(endpoint, writeKey string, log *slog.Logger) (analytics.Client, error) {
	client, err := analytics.NewWithConfig(writeKey, analytics.Config{
		Endpoint:  endpoint,
		Interval:  250 * time.Millisecond,
		BatchSize: 20,
		Logger:    sdkLog{log},
	})
	if err != nil {
		return nil, fmt.Errorf("make analytics-go client: %w", err)
	}
	return client, nil
}

// sdkLog passes on what the SDK complains about.
type sdkLog struct{ log *slog.Logger }

func (l sdkLog) Logf(format string, args ...any)   { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l sdkLog) Errorf(format string, args ...any) { l.log.Warn(fmt.Sprintf(format, args...)) }

// shop makes the events of a small web shop: people come, look around, and some
// of them buy. It always trades the same way.
type shop struct {
	client analytics.Client
	random *rand.Rand
	visits int
	orders int
}

func newShop(client analytics.Client) *shop {
	return &shop{client: client, random: rand.New(rand.NewPCG(7, 7))}
}

// visitor is a person in the shop. Guests have no account: the shop knows only
// the address that they left for the newsletter.
type visitor struct {
	userID, anonymousID, email, name string
}

var (
	firstNames = []string{"Ada", "Bela", "Chen", "Dina", "Emil", "Fumi", "Gita", "Hugo", "Ines", "Jona"}
	products   = []struct {
		sku, name, category string
		price               float64
	}{
		{"TS-RED-M", "Red T-shirt", "Apparel", 29.99},
		{"MUG-BLK", "Black mug", "Kitchen", 12.5},
		{"POSTER-7", "Poster", "Home", 18},
		{"SOCKS-3", "Three pairs of socks", "Apparel", 9.95},
	}
)

func (s *shop) visitor() visitor {
	n := s.visits
	s.visits++
	name := firstNames[n%len(firstNames)]
	v := visitor{
		anonymousID: fmt.Sprintf("anon-%04d", n),
		email:       fmt.Sprintf("%s.%04d@example.com", name, n),
		name:        name,
	}
	if n%4 != 1 { // every fourth is a guest
		v.userID = fmt.Sprintf("user-%04d", n)
	}
	return v
}

// trade sends one event after the other until ctx ends.
func (s *shop) trade(ctx context.Context, pace time.Duration) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		for _, message := range s.visit(s.visitor()) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			if s.client.Enqueue(message) != nil {
				return // closed; anything else the SDK logs
			}
		}
	}
}

// visit returns the events of one visit.
func (s *shop) visit(v visitor) []analytics.Message {
	known := &analytics.Context{
		Traits:    analytics.Traits{"email": v.email},
		Locale:    "en-GB",
		Timezone:  "Europe/London",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) ExampleBrowser/1.0",
	}
	track := func(event string, p analytics.Properties) analytics.Message {
		return analytics.Track{UserId: v.userID, AnonymousId: v.anonymousID, Event: event, Properties: p, Context: known}
	}
	product := products[s.random.IntN(len(products))]
	item := analytics.Properties{
		"product_id": product.sku, "name": product.name, "category": product.category,
		"price": product.price, "currency": "GBP",
		"url": "https://shop.example.com/p/" + product.sku,
	}
	messages := []analytics.Message{
		analytics.Page{
			UserId: v.userID, AnonymousId: v.anonymousID, Name: "Home", Context: known,
			Properties: analytics.Properties{"url": "https://shop.example.com/", "title": "Shop", "path": "/"},
		},
		analytics.Identify{
			UserId: v.userID, AnonymousId: v.anonymousID, Context: known,
			Traits: analytics.Traits{"email": v.email, "first_name": v.name, "plan": "free"},
		},
	}
	if v.userID != "" {
		messages = append(messages, track("Signed Up", analytics.Properties{"method": "email"}))
	}
	messages = append(messages, track("Product Viewed", item), track("Product Added", item))
	if s.random.IntN(2) == 0 {
		s.orders++
		messages = append(messages,
			track("Checkout Started", analytics.Properties{"value": product.price, "currency": "GBP"}),
			track("Order Completed", analytics.Properties{
				"order_id": fmt.Sprintf("order-%04d", s.orders), "total": product.price, "currency": "GBP",
				"products": []analytics.Properties{item},
			}))
	}
	if v.userID != "" && s.random.IntN(5) == 0 {
		messages = append(messages,
			analytics.Screen{UserId: v.userID, Name: "Order history", Context: known},
			analytics.Group{UserId: v.userID, GroupId: "family-" + v.userID, Traits: analytics.Traits{"name": v.name + "'s family"}, Context: known},
			analytics.Alias{UserId: v.userID, PreviousId: v.anonymousID, Context: known})
	}
	return messages
}
