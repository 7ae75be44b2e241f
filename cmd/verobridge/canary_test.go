package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// watch returns a logger that fails the test when a line holds a secret.
func watch(t testing.TB, s settings, log *slog.Logger) *slog.Logger {
	t.Helper()
	return slog.New(secretsIn(t, s).Handler(log.Handler(), func(problem string) { t.Error(problem) }))
}

// leavesNoSecret fails the test if a bridge has put a secret into its metrics, its
// tables or its files.
func leavesNoSecret(t testing.TB, b *bridge) {
	t.Helper()
	secrets := secretsIn(t, b.settings)
	families, err := b.metrics.Gather()
	if err != nil {
		t.Errorf("metrics: %v", err)
	}
	if problem := secrets.In(fmt.Sprint(families)); problem != "" {
		t.Errorf("a metric %s", problem)
	}
	found, err := secrets.InFiles(filepath.Join(b.settings.DataDir))
	if err != nil {
		t.Errorf("files: %v", err)
	}
	for _, problem := range found {
		t.Error(problem)
	}
	if b.settings.Warehouse.URL == noDatabase {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), deadline)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.settings.Warehouse.URL)
	if err != nil {
		t.Fatalf("tables: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	found, err = secrets.InTables(ctx, conn)
	if err != nil {
		t.Errorf("tables: %v", err)
	}
	for _, problem := range found {
		t.Error(problem)
	}
}

// problems is a test of which it is only noted that it failed.
type problems struct {
	testing.TB
	found []string
}

func (p *problems) Error(args ...any) { p.found = append(p.found, fmt.Sprint(args...)) }

func (p *problems) Errorf(format string, args ...any) {
	p.found = append(p.found, fmt.Sprintf(format, args...))
}

// A secret that is where none belongs is found, in each place: the nets are not
// empty.
func TestAPlantedSecretIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.bridge
	file := filepath.Join(b.settings.DataDir, "planted")
	metric := prometheus.NewGauge(prometheus.GaugeOpts{Name: "planted", ConstLabels: prometheus.Labels{"key": appKey}})
	exec := func(query string) {
		if _, err := w.db.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	clean := &problems{TB: t}
	if leavesNoSecret(clean, b); len(clean.found) > 0 {
		t.Fatalf("before anything is planted: %v", clean.found)
	}
	for where, plant := range map[string]struct{ in, out func() }{
		"a metric ": {func() { b.metrics.MustRegister(metric) }, func() { b.metrics.Unregister(metric) }},
		file: {func() {
			if err := os.WriteFile(file, []byte("\x00"+veroKey), 0o600); err != nil {
				t.Fatal(err)
			}
		}, func() { _ = os.Remove(file) }},
		"a row of public.planted ": {
			func() { exec("create table public.planted as select '" + veroToken + "'::bytea as key") },
			func() { exec("drop table public.planted") },
		},
	} {
		plant.in()
		seen := &problems{TB: t}
		leavesNoSecret(seen, b)
		plant.out()
		if len(seen.found) != 1 || !strings.HasPrefix(seen.found[0], where) {
			t.Errorf("%s: found %v", where, seen.found)
		}
	}
	seen := &problems{TB: t}
	watch(seen, b.settings, slog.New(slog.DiscardHandler)).Debug("connect", "url", b.settings.Warehouse.URL)
	if len(seen.found) != 1 || !strings.HasPrefix(seen.found[0], "a log line ") {
		t.Errorf("a log line: found %v", seen.found)
	}
}
