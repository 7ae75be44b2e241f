package console

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// A test event that waits for a paused destination says so, and what helps; and
// when its person is erased it is not shown any more.
func TestTrial(t *testing.T) {
	t.Parallel()
	erased := ""
	c, _ := visit(t, Options{Erased: func(e event.Event) bool { return e.UserID() == erased }})
	s := healthy(noon)
	s.Destinations[1].PausedSince, s.Destinations[1].Reason = noon.Add(-time.Minute), delivery.ReasonRefused
	c.history.add(s)
	c.trials.add(&trial{ID: "t1", Source: "app", Call: []byte(`{"userId":"ann"}`), places: []string{"warehouse", "vero"}})
	show := func() (string, error) {
		page, err := c.trial(httptest.NewRequest("GET", "/setup/test?id=t1", nil))
		if err != nil {
			return "", err
		}
		html, err := c.fragment("trial", "progress", page)
		return string(html), err
	}
	html, err := show()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"refuses our credentials", "auth_token", "restart"} {
		if strings.Count(html, part) != 1 {
			t.Errorf("%q is not said once of the paused destination:\n%s", part, html)
		}
	}
	erased = "ann"
	if _, err := show(); err == nil {
		t.Error("the test event of somebody who was erased is shown")
	}
}
