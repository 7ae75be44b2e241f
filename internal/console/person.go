package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/verobridge/verobridge/internal/story"
)

// personEntries is how much of a person one page shows.
const personEntries = 50

// personView is what the page Person shows.
type personView struct {
	ID string
	// Timeline is nil where nothing was searched for, or an event was found.
	Timeline *story.Timeline
	// Events are those that have the id as messageId.
	Events []story.Story
	// Older leads to the next page, empty at the end.
	Older string
}

// Unknown says that something was searched for and nothing found.
func (v personView) Unknown() bool {
	return v.Timeline != nil && v.Timeline.Verdict.Code == story.Nobody
}

// person shows what somebody did and got. The search takes any id, also that of an
// event.
func (c *Console) person(r *http.Request) (any, error) {
	v := personView{ID: strings.TrimSpace(r.URL.Query().Get("id"))}
	if v.ID == "" {
		return v, nil
	}
	after, err := parsePlace(r.URL.Query().Get("after"))
	if err != nil {
		return nil, err
	}
	if v.Events, err = c.o.Story.Event(r.Context(), v.ID); err != nil {
		return nil, away(err)
	}
	timeline, err := c.o.Story.Person(r.Context(), v.ID, personEntries, after)
	if err != nil {
		return nil, away(err)
	}
	if v.Timeline = &timeline; v.Unknown() && len(v.Events) > 0 {
		v.Timeline = nil
	}
	if timeline.Next != nil {
		v.Older = "/person?" + url.Values{"id": {v.ID}, "after": {formatPlace(*timeline.Next)}}.Encode()
	}
	return v, nil
}

// formatPlace writes a place in a timeline as one word.
func formatPlace(at story.Cursor) string {
	raw, _ := json.Marshal(at) // a text and a time
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parsePlace(text string) (at story.Cursor, err error) {
	if text == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil {
		return at, badRequest("This is no place in the timeline", "Search for the person, and go on from the newest.")
	}
	return at, nil
}
