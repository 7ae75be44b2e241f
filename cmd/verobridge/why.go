package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/internal/story"
)

func whyCommand(env environment) *cobra.Command {
	var config string
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "why id",
		Short: "Say what became of an event or a person, and why",
		Long: `Say what became of an event or a person, and why: when it came in and with which
SDK, what was refused, where it was loaded, each call and its answer, and the
emails that followed, from Sent to Clicked. It ends in one sentence that names the
cause, and one that names the cure; docs/why.md lists all of them.

The id is a messageId, a userId, an e-mail address or an anonymousId. It reads
Postgres alone, so it works while the bridge does not, and changes nothing.
Without --config, DATABASE_URL is enough.

The exit code is 0 if something is known, 1 if nothing is or Postgres cannot be
asked, 2 if the command is not written rightly.`,
		Example: `  verobridge why 0190a7f2-6c1f-7a53-9a0e-3f2d41c5b8aa
  verobridge why jane@example.com --limit 50
  verobridge why 1000 --json | jq -r '.person.entries[] | [.at, .what, .event] | @tsv'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return exitError{code: 2, err: errors.New("name one id: a messageId, a userId, an e-mail address or an anonymousId; see verobridge why --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return exitError{code: 2, err: errors.New("--limit must be at least 1")}
			}
			url, err := warehouseURL(config, env)
			if err != nil {
				return exitError{code: 2, err: err}
			}
			told, err := tell(cmd.Context(), url, args[0], limit)
			if errors.Is(err, story.ErrNotPrepared) {
				return fmt.Errorf("%w\nIs this the database of the bridge? A bridge of this version makes them when it starts; verobridge migrate does as well", err)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				err = writeIndented(out, told)
			} else {
				err = whyPrinter{out}.print(told)
			}
			if err == nil && told.nothing() {
				return exitError{code: 1}
			}
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{code: 2, err: err} })
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON value: events, or person")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many of the newest things to show of a person")
	return cmd
}

// told is the answer of why.
type told struct {
	ID string `json:"id"`
	// Events are the stories of an event, one for each source that has one.
	Events []story.Story `json:"events,omitempty"`
	// Person is the timeline of a person, nil if the id is an event's.
	Person *story.Timeline `json:"person,omitempty"`
}

// nothing says that nothing is known by the id.
func (t told) nothing() bool {
	return len(t.Events) == 0 && t.Person.Verdict.Code == story.Nobody
}

// tell looks an id up: first as an event's, then as a person's.
func tell(ctx context.Context, url, id string, limit int) (told, error) {
	store, err := story.Open(story.Options{URL: url, Erased: erasedAt(ctx, url)})
	if err != nil {
		return told{}, err
	}
	defer store.Close()
	t := told{ID: id}
	if t.Events, err = store.Event(ctx, id); err != nil || len(t.Events) > 0 {
		return t, err
	}
	timeline, err := store.Person(ctx, id, limit, story.Cursor{})
	t.Person = &timeline
	return t, err
}

// erasedAt returns who says whether somebody was erased, as far as that can be
// read.
func erasedAt(ctx context.Context, url string) func(id string) bool {
	suppressions, err := people.ReadSuppressions(ctx, url)
	if err != nil {
		return nil // the look-up itself says what is wrong with the database
	}
	return erasedIn(suppressions)
}

func erasedIn(suppressions *people.Suppressions) func(id string) bool {
	return func(id string) bool {
		for _, kind := range []people.Kind{people.User, people.Anonymous, people.Email} {
			if suppressions.Has(people.Identifier{Kind: kind, Value: id}) {
				return true
			}
		}
		return false
	}
}
