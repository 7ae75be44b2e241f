package outbound_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/outbound"
)

const checkedToken = "checked-token"

// checked returns what is found of a Vero at a URL that is not fine, all in one
// text, or else what is.
func checked(t *testing.T, url, token string) (level doctor.Level, text string) {
	t.Helper()
	v, err := outbound.NewVero(outbound.VeroOptions{Name: "vero", URL: url, AuthToken: token, AllowPrivate: true, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	found := v.Check(t.Context())
	for _, f := range found {
		if strings.Contains(f.What+f.Cure, token) {
			t.Errorf("the token is shown: %+v", f)
		}
		if f.Level != doctor.OK {
			return f.Level, f.What + "; " + f.Cure
		}
	}
	return found[0].Level, found[0].What
}

func TestCheckOfVero(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: checkedToken})
	server := httptest.NewServer(vero)
	t.Cleanup(func() { server.Close(); vero.Close() })
	url := server.URL + "/api/v2"

	if level, text := checked(t, url, checkedToken); level != doctor.OK || !strings.Contains(text, "takes the auth_token") {
		t.Errorf("of a Vero that is well it finds %s: %s", level, text)
	}
	if people := len(vero.Effects().Users); people != 0 {
		t.Errorf("the check made %d people", people)
	}
	if level, text := checked(t, url, "wrong-token"); level != doctor.Error || !strings.Contains(text, "auth_token is refused") {
		t.Errorf("of a wrong token it finds %s: %s", level, text)
	}
	vero.Fault(mockvero.Fault{Status: http.StatusInternalServerError})
	if level, text := checked(t, url, checkedToken); level != doctor.Warning || !strings.Contains(text, "takes no calls now") {
		t.Errorf("of a Vero that fails it finds %s: %s", level, text)
	}
	if level, text := checked(t, server.URL+"/nowhere", checkedToken); level != doctor.Warning || !strings.Contains(text, "compare its url") {
		t.Errorf("of a wrong url it finds %s: %s", level, text)
	}
	server.Close()
	if level, text := checked(t, url, checkedToken); level != doctor.Error || !strings.Contains(text, "does not answer") {
		t.Errorf("of no Vero it finds %s: %s", level, text)
	}
}

func TestCheckOfVerosClock(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	}))
	t.Cleanup(server.Close)
	if level, text := checked(t, server.URL, checkedToken); level != doctor.Warning || !strings.Contains(text, "behind that of its servers") {
		t.Errorf("of a clock an hour ahead it finds %s: %s", level, text)
	}
}

// A relay is asked with a batch of no events.
func TestCheckOfARelay(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]doctor.Level{
		http.StatusOK: doctor.OK, http.StatusUnauthorized: doctor.Error, http.StatusFound: doctor.Error, http.StatusBadRequest: doctor.Warning,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if key, _, _ := r.BasicAuth(); r.URL.Path != "/v1/batch" || key != "relay-key" {
				t.Errorf("asks %s with %q", r.URL.Path, key)
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		s, err := outbound.NewSegment(outbound.SegmentOptions{Name: "relay", URL: server.URL, WriteKey: "relay-key", AllowPrivate: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Check(t.Context())[0]; got.Level != want || got.Area != "destination relay" {
			t.Errorf("of %d it finds %+v, want %s", status, got, want)
		}
	}
}

func TestCheckOfANameThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	v, err := outbound.NewVero(outbound.VeroOptions{Name: "vero", URL: "https://vero.invalid", AuthToken: checkedToken})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Check(t.Context())[0]; got.Level != doctor.Error || got.Cure == "" {
		t.Errorf("of a name that leads nowhere it finds %+v", got)
	}
}
