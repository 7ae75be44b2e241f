package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// ledger remembers the ids of events that were answered with 200.
type ledger struct {
	mu  sync.Mutex
	ids []string
}

func (l *ledger) add(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, ids...)
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids)
}

// The promise of a 200: the real program is killed with SIGKILL in the middle
// of a load, again and again, and every event that it acknowledged is in
// Postgres exactly once and had its effect at Vero exactly once.
func TestKilledInTheMiddleOfALoadNothingAcknowledgedIsLost(t *testing.T) {
	const kills = 5
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	vero := mockvero.New(mockvero.Options{AuthToken: veroToken, Keep: 1 << 20, Window: time.Hour})
	database := pgtest.Database(t)
	p := newProcess(t, database, serve(t, vero))

	p.start(t)
	var acknowledged ledger
	load, stopLoad := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() { sendUntil(load, p.url, c, &acknowledged) })
	}
	for range kills {
		before := acknowledged.len()
		awaitCondition(t, "new acknowledgements", func() bool { return acknowledged.len() > before })
		pause(t, time.Duration(random.IntN(500))*time.Millisecond)
		p.kill(t)
		p.start(t)
	}
	before := acknowledged.len()
	awaitCondition(t, "acknowledgements after the last kill", func() bool { return acknowledged.len() > before })
	stopLoad()
	clients.Wait()

	db := connect(t, database)
	w := &world{db: db, url: p.url}
	w.settle(t, "kill")

	for _, table := range []string{"app.tracks", "app.load_sent"} {
		if missing := count(t, db, `select count(*) from unnest($1::text[]) id where not exists (select from `+table+` t where t.id = id)`, acknowledged.ids); missing > 0 {
			t.Errorf("%d of %d acknowledged events are not in %s", missing, len(acknowledged.ids), table)
		}
	}
	if missing := count(t, db, `
		select count(*) from unnest($1::text[]) id
		where not exists (select from verobridge.deliveries d where d.message_id = id and d.destination = 'vero' and d.status = 'delivered')`, acknowledged.ids); missing > 0 {
		t.Errorf("%d of %d acknowledged events were not reported as delivered to Vero", missing, len(acknowledged.ids))
	}
	effects := make(map[string]int)
	for _, user := range vero.Effects().Users {
		for _, e := range user.Events {
			effects[messageID(t, e)]++
		}
	}
	for _, id := range acknowledged.ids {
		if effects[id] != 1 {
			t.Errorf("event %s had %d effects at Vero, want 1", id, effects[id])
		}
	}
	p.stop(t)
	t.Logf("%d events acknowledged over %d kills", len(acknowledged.ids), kills)
}

// sendUntil sends batches one after the other until ctx ends, each until it is
// acknowledged, as an SDK does.
func sendUntil(ctx context.Context, url string, client int, acknowledged *ledger) {
	for n := 0; ctx.Err() == nil; n++ {
		const size = 10
		var ids []string
		var batch []map[string]any
		for i := range size {
			id := fmt.Sprintf("load-%d-%06d-%d", client, n, i)
			ids = append(ids, id)
			batch = append(batch, map[string]any{
				"type": "track", "event": "Load Sent", "messageId": id,
				"userId": fmt.Sprintf("user-%d-%d", client, n%50), "properties": map[string]any{"n": n},
			})
		}
		body, err := json.Marshal(map[string]any{"batch": batch})
		if err != nil {
			panic(err)
		}
		for ctx.Err() == nil && !sendOnce(ctx, url, body) {
			select { // the pause of an SDK between two tries
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		if ctx.Err() == nil {
			acknowledged.add(ids)
		}
	}
}

func sendOnce(ctx context.Context, url string, body []byte) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.SetBasicAuth(appKey, "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return err == nil && answer.StatusCode == http.StatusOK
}

// process is the real binary, serving.
type process struct {
	binary, config, url, admin string
	command                    *exec.Cmd
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "verobridge-test-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "verobridge")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

func newProcess(t *testing.T, database, veroURL string) *process {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	listen, admin := freePort(t), freePort(t)
	p := &process{binary: binary, config: filepath.Join(dir, "verobridge.yaml"), url: "http://" + listen, admin: "http://" + admin}
	config := fmt.Sprintf(`
listen: %q
admin: {listen: %q}
data_dir: %q
warehouse: {url: %q}
sources:
  - {name: app, write_keys: [%q], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [%q]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q}
`, listen, admin, filepath.Join(dir, "data"), database, appKey, veroKey, veroToken, veroURL+"/api/v2")
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	p.command = exec.Command(p.binary, "serve", "--config", p.config)
	p.command.Stderr = t.Output()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	command := p.command
	t.Cleanup(func() { _ = command.Process.Kill() })
	awaitCondition(t, "the bridge to be ready", func() bool {
		answer, err := http.Get(p.admin + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.command.Wait() // it says that it was killed
}

// stop asks the program to stop, as a platform does, and checks that it does so
// in time and in peace.
func (p *process) stop(t *testing.T) {
	t.Helper()
	started := time.Now()
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(started); took > stopTimeout {
		t.Errorf("stopping took %s, want at most %s", took, stopTimeout)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func count(t *testing.T, db *pgx.Conn, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitCondition looks until something is so.
func awaitCondition(t *testing.T, what string, is func() bool) {
	t.Helper()
	for started := time.Now(); !is(); {
		if time.Since(started) > deadline {
			t.Fatalf("waited %s for %s", deadline, what)
		}
		pause(t, 10*time.Millisecond)
	}
}

// pause lets time pass. Between two looks, or as a part of a scenario.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
