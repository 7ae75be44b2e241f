package siege_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/siege"
)

func TestParseOrder(t *testing.T) {
	t.Parallel()
	order, err := siege.ParseOrder("slow-headers=5000")
	if want := (siege.Order{Attack: "slow-headers", Strength: 5000}); err != nil || order != want {
		t.Errorf("%v, %v, want %v", order, err, want)
	}
	if order.String() != "slow-headers=5000" {
		t.Errorf("written again it is %s", order)
	}
	for _, text := range []string{"", "slow-headers", "slow-headers=0", "slow-headers=-1", "slow-headers=many", "tickle=1"} {
		if order, err := siege.ParseOrder(text); err == nil {
			t.Errorf("%q is %v", text, order)
		}
	}
}

// Each attack reaches the target as what it is, and is counted.
func TestAttacks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := make(map[string]bool)
	paths := make(chan struct{}, 1000)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[strings.Join([]string{r.URL.Path, r.Header.Get("Content-Encoding"), r.Header.Get("Origin")}, " ")] = true
		mu.Unlock()
		w.WriteHeader(http.StatusTeapot)
		paths <- struct{}{}
	}))
	server.Config.ReadHeaderTimeout = 50 * time.Millisecond // so that connections are cut
	server.Start()
	t.Cleanup(server.Close)

	orders := []siege.Order{
		{Attack: "slow-headers", Strength: 3},
		{Attack: "silence", Strength: 2},
		{Attack: "gzip-bomb", Strength: 20},
		{Attack: "foreign-page", Strength: 20},
		{Attack: "forged-webhook", Strength: 20},
	}
	ctx, cancel := context.WithCancel(t.Context())
	holding := make(chan struct{})
	var tally siege.Tally
	var err error
	var running sync.WaitGroup
	running.Go(func() {
		target := siege.Target{Address: server.Listener.Addr().String(), From: "127.0.0.9", Origin: "https://www.example.com"}
		tally, err = siege.Run(ctx, target, orders, func() { close(holding) })
	})
	<-holding
	want := []string{"/v1/batch gzip ", "/v1/identify  https://attacker.example", "/webhooks/vero/guessed  "}
	for missing := true; missing; {
		<-paths
		mu.Lock()
		missing = !seen[want[0]] || !seen[want[1]] || !seen[want[2]]
		mu.Unlock()
	}
	for range 20 { // long enough for the slow to be cut
		<-paths
	}
	cancel()
	running.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gzip-bomb", "foreign-page", "forged-webhook"} {
		if tally[name]["418"] == 0 {
			t.Errorf("%s: %v", name, tally[name])
		}
	}
	if tally["slow-headers"]["opened"] < 3 || tally["slow-headers"]["cut"] == 0 || tally["silence"]["opened"] < 2 {
		t.Errorf("tally is %v", tally)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	sum := siege.Tally{"a": {"200": 1}}
	sum.Add(siege.Tally{"a": {"200": 2, "503": 1}, "b": {"cut": 4}})
	if sum["a"]["200"] != 3 || sum["a"]["503"] != 1 || sum["b"]["cut"] != 4 {
		t.Errorf("sum is %v", sum)
	}
}

func TestAddressToAttackFrom(t *testing.T) {
	t.Parallel()
	if _, err := siege.Run(t.Context(), siege.Target{From: "nowhere"}, nil, func() {}); err == nil {
		t.Error("it attacks from nowhere")
	}
}
