package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/preview"
	"github.com/verobridge/verobridge/outbound"
)

func mapCommand(env environment) *cobra.Command {
	o := mapOptions{env: env}
	cmd := &cobra.Command{
		Use:   "map [file]...",
		Short: "Show what Vero would get of events, without sending anything",
		Long: `Show the exact requests that Vero would get of events, or why it would get none.
Nothing is sent. Each event is taken by itself: what the running bridge knows
about people, who an anonymous visitor is or who was erased, is not asked.

The events are calls of Segment's API, read from files or from standard input: one
JSON object after the other, a JSON array, or the body of a batch. With --last they
are the last ones that the running bridge has taken.

With --against, show what other settings would change, event by event. The exit
code is then 0 if nothing, 1 if something, 2 if that cannot be said.`,
		Example: `  verobridge map --config verobridge.yaml calls.ndjson
  echo '{"type":"track","userId":"7","event":"Signed Up"}' | verobridge map --config verobridge.yaml
  verobridge map --config verobridge.yaml --last 20
  verobridge map --config verobridge.yaml --against new.yaml --last 1000`,
		RunE: func(cmd *cobra.Command, files []string) error {
			differ, err := o.run(cmd, files)
			switch {
			case err != nil && o.against != "":
				return exitError{code: 2, err: err}
			case err != nil:
				return err
			case differ:
				return exitError{code: 1}
			default:
				return nil
			}
		},
	}
	o.admin.add(cmd)
	cmd.PersistentFlags().Lookup("config").Usage = "settings `file` to go by, also to find the running bridge"
	cmd.Flags().StringVar(&o.against, "against", "", "another settings `file`, to show what it would change")
	cmd.Flags().StringVar(&o.destination, "destination", "", "`name` of the destination, where there are several of type vero")
	cmd.Flags().StringVar(&o.source, "source", "", "`name` of the source that the calls come from (default the first one that sends to the destination)")
	cmd.Flags().IntVar(&o.last, "last", 0, "take the last `n` events of the running bridge")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object for each event")
	return cmd
}

// mapOptions are the flags of map.
type mapOptions struct {
	env                          environment
	admin                        adminFlags
	against, destination, source string
	last                         int
	json                         bool
}

// run maps and prints, and says whether --against found a difference.
func (o mapOptions) run(cmd *cobra.Command, files []string) (differ bool, err error) {
	if o.last > 0 && len(files) > 0 {
		return false, errors.New("--last takes the events of the running bridge; leave out the files, or --last")
	}
	old, err := o.mapper(o.admin.config)
	if err != nil {
		return false, err
	}
	calls, err := o.calls(cmd, files, old)
	if err != nil {
		return false, err
	}
	out := mapPrinter{out: cmd.OutOrStdout(), json: o.json}
	if o.against == "" {
		for _, c := range calls {
			out.mapped(old.Map(c))
		}
		return false, nil
	}
	other, err := o.mapper(o.against)
	if err != nil {
		return false, err
	}
	var sum mapSummary
	for _, c := range calls {
		d := compareMapped(old.Map(c), other.Map(c))
		sum.add(d)
		out.difference(d)
	}
	out.summary(sum)
	return sum.Differ > 0, nil
}

// calls returns the events to map.
func (o mapOptions) calls(cmd *cobra.Command, files []string, m *mapper) ([]preview.Call, error) {
	if o.last > 0 {
		return o.lastCalls(cmd)
	}
	source := cmp.Or(o.source, m.firstSource())
	if !m.hasSource(source) {
		return nil, fmt.Errorf("--source %q is not among the sources of the settings", source)
	}
	if len(files) == 0 {
		text, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return parseCalls(text, "standard input", source)
	}
	var all []preview.Call
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the calls: %w", err)
		}
		calls, err := parseCalls(text, name, source)
		if err != nil {
			return nil, err
		}
		all = append(all, calls...)
	}
	return all, nil
}

// parseCalls reads the calls in a text that has a name.
func parseCalls(text []byte, name, source string) ([]preview.Call, error) {
	calls, err := preview.ParseCalls(text, source, time.Now())
	var syntax *preview.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s:%d:%d is not JSON: %w", name, syntax.Line, syntax.Column, syntax.Err)
	}
	return calls, err
}

// lastCalls asks the running bridge.
func (o mapOptions) lastCalls(cmd *cobra.Command) ([]preview.Call, error) {
	client, err := o.admin.client(o.env)
	if err != nil {
		return nil, err
	}
	query := url.Values{"last": {strconv.Itoa(o.last)}}
	if o.source != "" {
		query.Set("source", o.source)
	}
	var calls []preview.Call
	err = client.lines(cmd.Context(), http.MethodGet, "/api/events", query, func(line json.RawMessage) error {
		var l eventLine
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("read the bridge's answer: %w", err)
		}
		if l.Type != event.Rejected {
			calls = append(calls, preview.Call{Event: l.event()})
		}
		return nil
	})
	return calls, err
}

// mapper is what some settings make of calls.
type mapper struct {
	*preview.Mapper
	settings settings
}

func (o mapOptions) mapper(config string) (*mapper, error) {
	s, err := loadSettings(config, o.env)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range s.Destinations {
		if d.Type == typeVero {
			names = append(names, d.Name)
		}
	}
	name := o.destination
	switch {
	case len(names) == 0:
		return nil, errors.New("the settings have no destination of type vero, so that Vero gets nothing")
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "" && len(names) > 1:
		return nil, fmt.Errorf("the settings have several destinations of type vero; name one with --destination: %s", strings.Join(names, ", "))
	case !slices.Contains(names, name):
		return nil, fmt.Errorf("the settings have no destination %q of type vero; they have: %s", name, strings.Join(names, ", "))
	}
	return newMapper(s, s.Destinations[slices.IndexFunc(s.Destinations, func(d destinationSettings) bool { return d.Name == name })])
}

// newMapper returns a destination of type vero that is only asked.
func newMapper(s settings, d destinationSettings) (*mapper, error) {
	b := &bridge{settings: s, log: slog.New(slog.DiscardHandler), metrics: prometheus.NewRegistry()}
	vero, err := b.newVero(d)
	if err != nil {
		return nil, err
	}
	return &mapper{&preview.Mapper{Vero: vero, Accept: b.accepts(d.Name), URL: strings.TrimSuffix(cmp.Or(d.URL, outbound.VeroURL), "/")}, s}, nil
}

// firstSource is the first one whose events go to the destination.
func (m *mapper) firstSource() string {
	for _, s := range m.settings.Sources {
		if slices.Contains(s.Destinations, m.Vero.Name()) {
			return s.Name
		}
	}
	return m.settings.Sources[0].Name
}

func (m *mapper) hasSource(name string) bool {
	return slices.ContainsFunc(m.settings.Sources, func(s sourceSettings) bool { return s.Name == name })
}
