package main

import (
	"context"
	"errors"
	"time"

	"github.com/verobridge/verobridge/internal/console"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/preview"
	"github.com/verobridge/verobridge/internal/spool"
	"github.com/verobridge/verobridge/internal/story"
	"github.com/verobridge/verobridge/outbound"
	"github.com/verobridge/verobridge/warehouse"
)

// openConsole makes the pages of the admin address.
func (b *bridge) openConsole() error {
	options := storyOptions(b.settings)
	options.Erased = erasedIn(b.people.Suppressions())
	store, err := story.Open(options)
	if err != nil {
		return err
	}
	b.onStop(func(context.Context) error {
		store.Close()
		return nil
	})
	comparers, err := b.comparers()
	if err != nil {
		return err
	}
	b.console, err = console.New(console.Options{
		Password:     b.settings.Admin.Password,
		Version:      version(),
		Sources:      sourceNames(b.settings),
		Destinations: b.destinations(),
		Routes:       routes(b.settings),
		Feed:         b.feed,
		Story:        store,
		DeadLetters:  consoleLetters{b.spool},
		Mapping:      console.Mapping{Comparers: comparers, Latest: b.latestKnown},
		Setup:        b.setup(),
		Erased:       b.people.Suppressions().Suppressed,
		State:        b.consoleState,
		Logger:       b.log,
	})
	return err
}

// storyOptions are the settings as those take them who look up what happened.
func storyOptions(s settings) story.Options {
	sources := make([]story.Source, len(s.Sources))
	for i, source := range s.Sources {
		sources[i] = story.Source{
			Name: source.Name, Schema: warehouse.SchemaName(source.Name), Destinations: source.Destinations,
			Vero: source.Type == typeVero, Browser: source.Trust == trustBrowser,
		}
	}
	return story.Options{URL: s.Warehouse.URL, Sources: sources}
}

// routes name the destinations of each source.
func routes(s settings) map[string][]string {
	routes := make(map[string][]string)
	for _, source := range s.Sources {
		routes[source.Name] = source.Destinations
	}
	return routes
}

func sourceNames(s settings) []string {
	names := make([]string, len(s.Sources))
	for i, source := range s.Sources {
		names[i] = source.Name
	}
	return names
}

// comparers say what the destinations of type vero would send, by the settings as
// they are and with each preset in place of theirs.
func (b *bridge) comparers() ([]*preview.Comparer, error) {
	var comparers []*preview.Comparer
	for _, d := range b.settings.Destinations {
		if d.Type != typeVero {
			continue
		}
		now, err := newMapper(b.settings, d)
		if err != nil {
			return nil, err
		}
		c := &preview.Comparer{
			Destination: d.Name, Source: now.firstSource(), Preset: d.Preset,
			Now: now.Mapper, Presets: make(map[string]*preview.Mapper), Names: outbound.Presets(),
		}
		if c.Preset == "" {
			c.Preset = outbound.PresetDefault
		}
		for _, preset := range c.Names {
			d.Preset = preset
			other, err := newMapper(b.settings, d)
			if err != nil {
				return nil, err
			}
			c.Presets[preset] = other.Mapper
		}
		comparers = append(comparers, c)
	}
	return comparers, nil
}

// latestKnown returns the last events that may be shown, oldest first.
func (b *bridge) latestKnown(ctx context.Context, n int) ([]event.Event, error) {
	return b.spool.Latest(ctx, n, func(e event.Event) bool {
		return e.Type != event.Rejected && !b.people.Suppressions().Suppressed(e)
	})
}

// consoleLetters are the spool's dead letters, picked as the admin API picks them.
type consoleLetters struct{ spool *spool.Spool }

func filterOfConsole(f console.LetterFilter) *letterFilter {
	filter := &letterFilter{
		destination: f.Destination, status: f.Status, reason: f.Reason,
		source: f.Source, event: f.Event, user: f.Person,
		upTo: int(f.UpTo), keys: f.Keys, received: [2]time.Time{f.Since, f.Until},
	}
	if f.MessageID != "" {
		filter.ids = []string{f.MessageID}
	}
	return filter
}

func (l consoleLetters) CountLetters(ctx context.Context, f console.LetterFilter) (console.LetterCount, error) {
	filter := filterOfConsole(f)
	found := console.LetterCount{Fates: make(map[console.LetterFate]int)}
	err := l.spool.Letters(ctx, func(letter spool.Letter) error {
		if _, whole := letter.Event(); whole && filter.pick(letter) {
			r := letter.Report
			found.Fates[console.LetterFate{Destination: r.Destination, Status: r.Status, Reason: r.Reason}]++
			found.UpTo = letter.Sequence()
		}
		return nil
	})
	return found, err
}

var errEnoughLetters = errors.New("enough dead letters")

func (l consoleLetters) EachLetter(ctx context.Context, each func(destination string) bool) error {
	err := l.spool.Letters(ctx, func(letter spool.Letter) error {
		if !each(letter.Report.Destination) {
			return errEnoughLetters
		}
		return nil
	})
	if errors.Is(err, errEnoughLetters) {
		return nil
	}
	return err
}

func (l consoleLetters) RetryLetters(ctx context.Context, f console.LetterFilter) (int, error) {
	n, err := l.spool.Retry(ctx, filterOfConsole(f).pick)
	if errors.Is(err, spool.ErrFull) {
		err = console.ErrNoRoom
	}
	return n, err
}
