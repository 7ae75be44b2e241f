package main

import (
	"context"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/notify"
)

// notifySettings say whom the bridge tells when it needs somebody.
type notifySettings struct {
	URL string        `yaml:"url"` // a secret
	Lag time.Duration `yaml:"lag"`
}

// defaultLag is how late emails may be before somebody is told.
const defaultLag = 15 * time.Minute

// validate never shows the URL: whoever knows it may post.
func (n notifySettings) validate(problem problemFunc) {
	if n.URL != "" {
		if err := notify.CheckURL(n.URL); err != nil {
			problem("notify.url", "%v", err)
		}
	}
	if n.Lag < time.Minute {
		problem("notify.lag", "must be at least 1m, the time that a destination may be behind before you are told")
	}
}

// startNotify tells people from now on, if the settings name a webhook.
func (b *bridge) startNotify(context.Context) error {
	if b.settings.Notify.URL == "" {
		return nil
	}
	n, err := notify.New(notify.Options{
		URL: b.settings.Notify.URL, Bridge: b.settings.publicName(), Look: b.lookAround,
		Limits: notify.Limits{Lag: b.settings.Notify.Lag}, Logger: b.log, Registerer: b.metrics,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { n.Run(ctx) })
	b.onStop(func(ctx context.Context) error {
		cancel()
		return waitFor(ctx, &work, "the messages to notify.url did not stop in time")
	})
	return nil
}

// lookAround returns how things stand, for whoever is to be told.
func (b *bridge) lookAround(ctx context.Context) (notify.State, error) {
	standings, err := b.spool.Standings(ctx)
	if err != nil {
		return notify.State{}, err
	}
	s := notify.State{At: time.Now(), Refused: b.spool.Ready(), Refusals: b.spool.Refusals(), Destinations: standings}
	s.FullIn, s.Behind, s.Filling = b.spool.FullIn()
	return s, nil
}

// publicName tells bridges apart: by the name that apps know, else by the machine's.
func (s settings) publicName() string {
	if u, err := url.Parse(s.PublicURL); err == nil && u.Host != "" {
		return u.Host
	}
	name, err := os.Hostname()
	if err != nil {
		return "on " + s.Listen
	}
	return name
}
