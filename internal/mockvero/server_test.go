package mockvero

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a clock that tests turn.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2026, 6, 6, 10, 15, 30, 0, time.UTC)} }

// start serves s until the test ends and returns its address.
func start(t *testing.T, s *Server) string {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		s.Close()
	})
	return web.URL
}

// do makes a call and returns status and body.
func do(t *testing.T, method, url, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(answer))
}

// must makes calls, written as "METHOD path body", that are all accepted.
func must(t *testing.T, base string, calls ...string) {
	t.Helper()
	for _, call := range calls {
		part := strings.SplitN(call, " ", 3)
		if status, answer := do(t, part[0], base+"/api/v2/"+part[1], "application/json", part[2]); status != http.StatusOK {
			t.Fatalf("%s: %d %s", call, status, answer)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 255)
	const (
		success = `{"status":200,"message":"Success."}`
		event   = `{"auth_token":"T","identity":{"id":"1"},"event_name":"E"}`
	)
	tests := map[string]struct {
		call   string // method, path with query
		body   string
		status int
		answer string // whole, or "" for any
	}{
		"success":                                  {"POST events/track", event, 200, success},
		"with .json":                               {"POST events/track.json", event, 200, success},
		"an id may be a number":                    {"POST events/track", `{"auth_token":"T","identity":{"id":1},"event_name":"E"}`, 200, success},
		"token as tracking_api_key":                {"POST events/track", `{"tracking_api_key":"T","identity":{"id":"1"},"event_name":"E"}`, 200, success},
		"token in the query":                       {"POST events/track?auth_token=T", `{"identity":{"id":"1"},"event_name":"E"}`, 200, success},
		"tracking_api_key in the query":            {"POST events/track?tracking_api_key=T", `{"identity":{"id":"1"},"event_name":"E"}`, 200, success},
		"wrong token":                              {"POST events/track", `{"auth_token":"X","identity":{"id":"1"},"event_name":"E"}`, 401, `{"status":401,"message":"Unauthorized"}`},
		"no token":                                 {"POST events/track", `{"identity":{"id":"1"},"event_name":"E"}`, 401, ""},
		"parameters before the token":              {"POST events/track", `{"auth_token":"X","event_name":"E"}`, 400, ""},
		"unknown path":                             {"POST events/trace", event, 404, `{"status":404,"message":"Not Found"}`},
		"wrong method":                             {"GET users/track", "", 404, ""},
		"not JSON":                                 {"POST events/track", `{"auth_token":`, 400, ""},
		"not an object":                            {"POST events/track", `[` + event + `]`, 400, ""},
		"event without a name":                     {"POST events/track", `{"auth_token":"T","identity":{"id":"1"},"event_name":" "}`, 400, ""},
		"event without identity":                   {"POST events/track", `{"auth_token":"T","identity":{},"event_name":"E"}`, 400, ""},
		"event by address alone":                   {"POST events/track", `{"auth_token":"T","identity":{"email":"jane@example.com"},"event_name":"E"}`, 200, success},
		"event with data that is no object":        {"POST events/track", `{"auth_token":"T","identity":{"id":"1"},"event_name":"E","data":[1]}`, 400, ""},
		"event with data null":                     {"POST events/track", `{"auth_token":"T","identity":{"id":"1"},"event_name":"E","data":null}`, 200, success},
		"event name of 255 characters":             {"POST events/track", `{"auth_token":"T","identity":{"id":"1"},"event_name":"` + long + `"}`, 400, ""},
		"event name of 254 characters":             {"POST events/track", `{"auth_token":"T","identity":{"id":"1"},"event_name":"` + long[1:] + `"}`, 200, success},
		"id of 255 characters":                     {"POST users/track", `{"auth_token":"T","id":"` + long + `"}`, 400, ""},
		"address of 255 characters":                {"POST users/track", `{"auth_token":"T","email":"` + long[:243] + `@example.com"}`, 400, ""},
		"address that is none":                     {"POST users/track", `{"auth_token":"T","id":"1","email":"jane"}`, 400, ""},
		"identify without id and address":          {"POST users/track", `{"auth_token":"T","data":{}}`, 400, ""},
		"identify with data that is no object":     {"POST users/track", `{"auth_token":"T","id":"1","data":"x"}`, 400, ""},
		"identify":                                 {"POST users/track", `{"auth_token":"T","id":"1"}`, 200, success},
		"edit without changes":                     {"PUT users/edit", `{"auth_token":"T","id":"1"}`, 400, ""},
		"edit":                                     {"PUT users/edit", `{"auth_token":"T","id":"1","changes":{"a":1}}`, 200, success},
		"reidentify without new_id":                {"PUT users/reidentify", `{"auth_token":"T","id":"1"}`, 400, ""},
		"reidentify without id":                    {"PUT users/reidentify", `{"auth_token":"T","new_id":"1"}`, 400, ""},
		"reidentify":                               {"PUT users/reidentify", `{"auth_token":"T","id":"1","new_id":"2"}`, 200, success},
		"reidentify by POST, as in 2016":           {"POST users/reidentify", `{"auth_token":"T","id":"1","new_id":"2"}`, 200, success},
		"unsubscribe without anybody":              {"POST users/unsubscribe", `{"auth_token":"T"}`, 400, ""},
		"unsubscribe by address":                   {"POST users/unsubscribe", `{"auth_token":"T","email":"jane@example.com"}`, 200, success},
		"resubscribe":                              {"POST users/resubscribe", `{"auth_token":"T","id":"1"}`, 200, success},
		"delete takes no address":                  {"POST users/delete", `{"auth_token":"T","email":"jane@example.com"}`, 400, ""},
		"delete":                                   {"POST users/delete", `{"auth_token":"T","id":"1"}`, 200, success},
		"delete by DELETE, as old clients do":      {"DELETE users/delete", `{"auth_token":"T","id":"1"}`, 200, success},
		"tags without add and remove":              {"PUT users/tags/edit", `{"auth_token":"T","id":"1"}`, 400, ""},
		"tags":                                     {"PUT users/tags/edit", `{"auth_token":"T","id":"1","add":["a"]}`, 200, success},
		"heartbeat needs no token":                 {"GET heartbeat", "", 200, `{"status":200,"message":"Vero api is up"}`},
		"outside of the API there is nothing else": {"GET ../../", "", 404, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := start(t, New(Options{AuthToken: "T"}))
			method, path, _ := strings.Cut(tt.call, " ")
			status, answer := do(t, method, base+"/api/v2/"+path, "application/json", tt.body)
			if status != tt.status {
				t.Errorf("status = %d, want %d: %s", status, tt.status, answer)
			}
			if tt.answer != "" && answer != tt.answer {
				t.Errorf("answer = %s, want %s", answer, tt.answer)
			}
		})
	}
}

func TestAnyTokenUnlessOneIsSet(t *testing.T) {
	t.Parallel()
	base := start(t, New(Options{}))
	must(t, base, `POST users/track {"auth_token":"anything","id":"1"}`)
	if status, _ := do(t, "POST", base+"/api/v2/users/track", "application/json", `{"id":"1"}`); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d, want 401", status)
	}
}

func TestFormBody(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	base := start(t, s)
	body := `auth_token=T&identity={"id":7,"email":"jane@example.com"}&event_name=E&data={"a":1}`
	if status, answer := do(t, "POST", base+"/api/v2/events/track", "application/x-www-form-urlencoded", body); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	u := s.Effects().Users["7"]
	if u.Email != "jane@example.com" || len(u.Events) != 1 || string(u.Events[0].Data) != `{"a":1}` {
		t.Errorf("user is %+v", u)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	event := func(name, id, rest string) string {
		return `POST events/track {"auth_token":"T","identity":{"id":"` + id + `"},"event_name":"` + name + `"` + rest + `}`
	}
	first := event("Purchased Item", "1", `,"data":{"a":1}`)
	tests := map[string]struct {
		first, second string
		later         time.Duration
		kept          int // of both
	}{
		"equal in all":                        {first, first, 0, 1},
		"at the end of the window":            {first, first, 5*time.Minute - time.Second, 1},
		"after the window":                    {first, first, 5 * time.Minute, 2},
		"extras do not count beside data":     {first, event("Purchased Item", "1", `,"data":{"a":1},"extras":{"check_id":"x"}`), 0, 1},
		"other data":                          {first, event("Purchased Item", "1", `,"data":{"a":2}`), 0, 2},
		"other person":                        {first, event("Purchased Item", "2", `,"data":{"a":1}`), 0, 2},
		"other name":                          {first, event("Purchased", "1", `,"data":{"a":1}`), 0, 2},
		"the same name, spelt otherwise":      {first, event("purchased_item", "1", `,"data":{"a":1}`), 0, 1},
		"without data and check_id":           {event("E", "1", ``), event("E", "1", ``), 0, 1},
		"without data, other check_id":        {event("E", "1", `,"extras":{"check_id":"x"}`), event("E", "1", `,"extras":{"check_id":"y"}`), 0, 2},
		"without data, the same check_id":     {event("E", "1", `,"extras":{"check_id":"x"}`), event("E", "1", `,"extras":{"check_id":"x"}`), 0, 1},
		"created_at does not tell them apart": {event("E", "1", `,"extras":{"created_at":"x"}`), event("E", "1", `,"extras":{"created_at":"y"}`), 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := New(Options{Now: c.now})
			base := start(t, s)
			must(t, base, tt.first)
			c.at = c.at.Add(tt.later)
			must(t, base, tt.second)
			if got := s.Effects().Events; got != tt.kept {
				t.Errorf("%d events kept, want %d", got, tt.kept)
			}
			if got := s.Calls()[1].Duplicate; got != (tt.kept == 1) {
				t.Errorf("second call is marked duplicate: %t", got)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := New(Options{Keep: 2, Now: c.now})
	base := start(t, s)
	for _, name := range []string{"A", "B", "C"} {
		must(t, base, `POST events/track {"auth_token":"T","identity":{"id":"1"},"event_name":"`+name+`"}`)
		c.at = c.at.Add(6 * time.Minute)
	}
	got := s.Effects()
	if got.Calls != 3 || got.Events != 3 || len(s.Calls()) != 2 {
		t.Errorf("%d calls and %d events counted, %d calls kept; want 3, 3 and 2", got.Calls, got.Events, len(s.Calls()))
	}
	if names := []string{got.Users["1"].Events[0].Name, got.Users["1"].Events[1].Name}; !cmp.Equal(names, []string{"B", "C"}) {
		t.Errorf("kept events %v, want the last two", names)
	}
	if n := len(s.state.seen.until); n > 2 {
		t.Errorf("%d keys remembered after their window", n)
	}
}
