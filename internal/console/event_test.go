package console

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
)

// The link to an event leads to that event, whatever its messageId looks like.
func TestLinksToEvents(t *testing.T) {
	t.Parallel()
	c, _ := visit(t, Options{})
	router := mux.NewRouter()
	var source, id string
	for _, p := range c.pages() {
		router.HandleFunc(p.path, func(_ http.ResponseWriter, r *http.Request) {
			source, id = r.URL.Query().Get("source"), r.URL.Query().Get("id")
		})
	}
	for _, want := range []string{"/", "//", ".", "..", "../../login", "a//b", "a/../b", "%2e%2e", "a?b=c&source=d#e", " ", "ü"} {
		source, id = "", ""
		answer := httptest.NewRecorder()
		router.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, eventPage("app", want), nil))
		if answer.Code != http.StatusOK || source != "app" || id != want {
			t.Errorf("%q leads to %d, %q of %q", want, answer.Code, id, source)
		}
	}
}
