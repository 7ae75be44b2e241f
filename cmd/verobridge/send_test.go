package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sendTo runs the subcommand on a bridge.
func sendTo(t *testing.T, to, input string, args ...string) (string, error) {
	t.Helper()
	cmd := sendCommand(everySet)
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetArgs(append([]string{"--to", to, "--write-key", appKey}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// A call of each type gets where an app's would, with what the flags say.
func TestSendEachTypeOfCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, args := range [][]string{
		{"identify", "--user", "u1", "--trait", "email=ann@example.com", "--trait", "age=41"},
		{"track", "--user", "u1", "--event", "Order Completed", "--property", "total=10.50", "--property", "items=12345678901234567890", "--property", "note=a=b", "--property", `sizes=["M"]`, "--timestamp", "2026-11-20T08:00:00Z"},
		{"page", "--user", "u1", "--name", "Home"},
		{"screen", "--anonymous", "a1", "--name", "Start"},
		{"group", "--user", "u1", "--group", "g1", "--trait", "plan=pro"},
		{"alias", "--user", "u1", "--previous", "a1"},
	} {
		id := fmt.Sprintf("sent-%d", n)
		out, err := sendTo(t, w.url, "", append(args, "--message-id", id)...)
		if err != nil || out != "accepted as "+id+"\n" {
			t.Fatalf("%v: %q, %v", args, out, err)
		}
		w.await(t, args[0], `select exists (select from verobridge.deliveries where message_id = $1 and destination = 'warehouse' and status = 'delivered' and type = $2)`, id, args[0])
	}
	var got string
	if err := w.db.QueryRow(t.Context(), `select jsonb_build_array(total, items, note, sizes, date_trunc('second', "timestamp") at time zone 'utc')::text from app.order_completed`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := `[10.50, 12345678901234567890, "a=b", "[\"M\"]", "2026-11-20T08:00:00"]`; got != want {
		t.Errorf("the row is %s, want %s", got, want)
	}
}

func TestSendNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"track needs --user or --anonymous": {"track", "--event", "X"},
		"track needs --event":               {"track", "--user", "u1"},
		"group needs --group":               {"group", "--user", "u1"},
		"alias needs --previous":            {"alias", "--user", "u1"},
		"must look like key=value":          {"track", "--user", "u1", "--event", "X", "--property", "total"},
		"--timestamp must be a time":        {"track", "--user", "u1", "--event", "X", "--timestamp", "soon"},
		"say what to send":                  {"--user", "u1"},
		`invalid argument "tarck"`:          {"tarck"},
	} {
		if _, err := sendTo(t, "http://127.0.0.1:1", "", args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
}

func TestSendSaysWhyNothingArrived(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := []string{"track", "--user", "u1", "--event", "X"}
	for want, args := range map[string][]string{
		"compare it with write_keys": {"--write-key", "wrong"},
		"is it running?":             {"--to", "http://127.0.0.1:1"},
		"is this the public address": {"--to", "http://" + w.bridge.adminAddr},
	} {
		_, err := sendTo(t, w.url, "", append(call, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), appKey) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
}

// A call is followed to its end at each destination, and its story told.
func TestSendFollowsACall(t *testing.T) {
	t.Parallel()
	c := newChecked(t)
	s, err := loadSettings(c.file(t), everySet)
	if err != nil {
		t.Fatal(err)
	}
	startTestBridge(t, s, slog.New(slog.DiscardHandler))
	var out strings.Builder
	err = run(t.Context(), []string{"send", "track", "--config", c.file(t), "--user", "u1", "--event", "Followed", "--message-id", "m1", "--follow"}, everySet, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted as m1", "Followed m1", "Why"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	if n := count(t, connect(t, c.database), "select count(*) from verobridge.deliveries where message_id = 'm1' and status = 'delivered'"); n != 2 {
		t.Errorf("when it ended it was delivered at %d destinations, want 2", n)
	}
}

// Lines are sent as they are, in batches, and those without a messageId get one.
func TestSendLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var input strings.Builder
	const calls = 250
	for n := range calls {
		fmt.Fprintf(&input, `{"type":"track","userId":"u%d","event":"Sent","properties":{"n":%d},"unknown":{"kept":12345678901234567890}}`+"\n\n", n%7, n)
	}
	out, err := sendTo(t, w.url, input.String())
	if err != nil || out != "accepted 250 calls\n" {
		t.Fatalf("%q, %v", out, err)
	}
	w.await(t, "all rows", "select count(*) = $1 and count(distinct n) = $1 from app.sent", calls)

	out, err = sendTo(t, w.url, `{"type":"track","userId":"u1","event":"Before","messageId":"before"}`+"\nnonsense\n")
	if err == nil || !strings.Contains(err.Error(), "line 2 is no call") || out != "" {
		t.Errorf("%q, %v", out, err)
	}
	w.await(t, "the line before the mistake", "select exists (select from app.before where id = 'before')")
}

// A batch that the bridge asks to send again is, with the same messageIds.
func TestSendLinesAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var ids [2]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1) - 1
		var body struct {
			Batch []struct {
				MessageID string `json:"messageId"`
				Unknown   string `json:"unknown"`
			} `json:"batch"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Batch) != 1 || body.Batch[0].Unknown != "kept" {
			t.Errorf("the bridge gets %+v (%v)", body, err)
			return
		}
		ids[n] = body.Batch[0].MessageID
		if n == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if _, err := sendTo(t, server.URL, `{"type":"track","unknown":"kept"}`); err != nil || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("%v: messageIds are %v", err, ids)
	}
}

// Without flags the settings say where to and with which key.
func TestSendGoesByTheSettings(t *testing.T) {
	t.Parallel()
	s := settings{Listen: ":8080", Sources: []sourceSettings{
		{Name: "vero", Type: typeVero, WriteKeys: []string{"v"}},
		{Name: "old", Disabled: true, WriteKeys: []string{"o"}},
		{Name: "app", WriteKeys: []string{"a"}},
		{Name: "web", WriteKeys: []string{"w"}},
	}}
	got := make(map[string]string)
	for _, source := range []string{"", "web", "vero", "old", "none"} {
		sender, err := s.sender(source, "")
		if err != nil {
			got[source] = err.Error()
			continue
		}
		got[source] = sender.WriteKeys[0]
	}
	none := "the settings have no source to send as; name one that is not disabled with --source: app, old, vero, web"
	if diff := cmp.Diff(map[string]string{"": "a", "web": "w", "vero": "v", "old": none, "none": none}, got); diff != "" {
		t.Error(diff)
	}
	if sender, err := s.sender("", "w"); err != nil || sender.Name != "web" {
		t.Errorf("the write key of web is %s's (%v)", sender.Name, err)
	}
	if got := s.doorURL(); got != "http://127.0.0.1:8080" {
		t.Errorf("without TLS it sends to %s", got)
	}
	s.TLS.Cert, s.PublicURL = "cert.pem", "https://events.example.com/"
	if got := s.doorURL(); got != "https://events.example.com" {
		t.Errorf("with TLS it sends to %s", got)
	}
}
