package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/verobridge/verobridge/internal/story"
)

// eventView is what the page of an event shows.
type eventView struct {
	story.Story
	// Elsewhere are the sources that have an event of the same messageId.
	Elsewhere []string
}

// eventPage is where the story of a source's event is. Without a source it is that
// of a request that came with no known write key. The messageId is no part of the
// path, which routers and proxies clean: apps choose it, and it may be "../login".
func eventPage(source, messageID string) string {
	if source == "" {
		return storyPath(messageID)
	}
	return "/event?" + url.Values{"source": {source}, "id": {messageID}}.Encode()
}

// event shows all that is known of one event: of the source that was asked for,
// or of the first that has one of the id.
func (c *Console) event(r *http.Request) (any, error) {
	source, id := r.URL.Query().Get("source"), r.URL.Query().Get("id")
	stories, err := c.o.Story.Event(r.Context(), id)
	if err != nil {
		return nil, away(err)
	}
	i := slices.IndexFunc(stories, func(s story.Story) bool { return source == "" || s.Source == source })
	if i < 0 {
		return nil, &problem{
			http.StatusNotFound, "Nothing is known of this event",
			"It came in just now, or never: search for its messageId or its person on the page Person. What is older than the settings keep is only in its source's tables.", nil,
		}
	}
	v := eventView{Story: stories[i]}
	for _, s := range stories {
		if s.Source != v.Source && s.Source != "" {
			v.Elsewhere = append(v.Elsewhere, s.Source)
		}
	}
	return v, nil
}
