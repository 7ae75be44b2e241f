package story

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

var update = flag.Bool("update", false, "write docs/why.md anew")

// Each verdict is found by its code, says a sentence, and is one that can be
// given: the last ones fit everything.
func TestCauses(t *testing.T) {
	t.Parallel()
	codes := make(map[string]bool)
	all := slices.Concat(causes, remarks)
	for _, c := range personCauses {
		all = append(all, cause{code: c.code, cause: c.cause, cure: c.cure})
	}
	for _, c := range all {
		if codes[c.code] {
			t.Errorf("%s is there twice", c.code)
		}
		codes[c.code] = true
		if !strings.HasSuffix(c.cause, ".") || c.cure != "" && !strings.HasSuffix(c.cure, ".") {
			t.Errorf("%s: cause and cure are sentences", c.code)
		}
	}
	if got := judge(&Story{}).Code; got != "unknown" {
		t.Errorf("an empty story is %q", got)
	}
	if got := judgePerson(&Timeline{Addresses: []string{"a@example.com"}, Users: []string{"1", "2"}}, false).Code; got != "person_reachable" {
		t.Errorf("a person without trouble is %q", got)
	}
}

// Every reason for which a delivery can be what it is has a verdict of its own, or
// shares one that says the same.
func TestEveryReasonHasAVerdict(t *testing.T) {
	t.Parallel()
	general := map[string]bool{"skipped": true, "dead": true, "paused": true, "refused": true, "rejected": true, "unknown": true}
	retried := []delivery.Reason{ // passing failures of one event
		delivery.ReasonServerError, delivery.ReasonUnreachable, delivery.ReasonRefused, delivery.ReasonWrongURL,
		delivery.ReasonPrivateAddress, delivery.ReasonStopping, delivery.ReasonNotPermitted,
	}
	seen := make(map[string]delivery.Reason)
	for _, r := range delivery.Reasons() {
		for _, status := range statusesOf(r) {
			s := &Story{Type: "track", now: time.Now(), Places: []Place{{Destination: "vero", Type: veroType, Routed: true, Status: status, Reason: r}}}
			code := judge(s).Code
			if general[code] {
				t.Errorf("%s %s has no verdict of its own", status, r)
			}
			if code == "retrying" && !slices.Contains(retried, r) {
				t.Errorf("%s waits, and the verdict does not say for what", r)
			}
			if other, taken := seen[code]; taken && status == delivery.StatusSkipped {
				t.Errorf("%s and %s are both %s", r, other, code)
			}
			seen[code] = r
		}
	}
	for _, r := range event.Reasons() {
		s := &Story{Rejections: []Rejection{{Reason: r}}}
		if got := judge(s).Code; got != "rejected_"+r {
			t.Errorf("rejected for %s is %s", r, got)
		}
	}
}

// statusesOf returns the statuses that a reason goes with, by its sentence.
func statusesOf(r delivery.Reason) []delivery.Status {
	switch text := r.Sentence(); {
	case strings.HasPrefix(text, "not sent"):
		return []delivery.Status{delivery.StatusSkipped}
	case strings.HasPrefix(text, "waits"):
		return []delivery.Status{delivery.StatusWaiting}
	case strings.HasPrefix(text, "held"):
		return []delivery.Status{delivery.StatusHeld}
	case strings.HasPrefix(text, "delivered"):
		return []delivery.Status{delivery.StatusDelivered}
	case strings.HasPrefix(text, "unknown whether"):
		return []delivery.Status{delivery.StatusAmbiguous}
	default:
		return []delivery.Status{delivery.StatusDead}
	}
}

// docs/why.md lists every verdict, as the tables here have them.
func TestDocs(t *testing.T) {
	t.Parallel()
	const path = "../../docs/why.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- what follows is made by go test ./internal/story -update -->\n"
	head, list, found := strings.Cut(string(text), mark)
	if !found {
		t.Fatalf("%s has no line %s", path, mark)
	}
	var b strings.Builder
	table := func(title string, rows []cause) {
		fmt.Fprintf(&b, "\n## %s\n\n| verdict | cause | cure |\n| --- | --- | --- |\n", title)
		for _, c := range rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.code, c.cause, c.cure)
		}
	}
	table("It never came in", doorCauses)
	table("It waits", waitingCauses)
	table("It was not sent, or failed", endedCauses)
	table("It was delivered", mailedCauses)
	table("What is said besides", remarks)
	var people []cause
	for _, c := range personCauses {
		people = append(people, cause{code: c.code, cause: c.cause, cure: c.cure})
	}
	table("A person", people)
	if *update {
		if err := os.WriteFile(path, []byte(head+mark+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(b.String(), list); diff != "" {
		t.Errorf("%s, made anew with -update (-want +got):\n%s", path, diff)
	}
}
