package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/canary"
)

// secretsIn returns what is secret in settings.
func secretsIn(s settings) canary.Secrets {
	values := []string{s.Admin.Password}
	for _, source := range s.Sources {
		if source.Trust != trustBrowser { // those of browsers are in their pages
			values = append(values, source.WriteKeys...)
		}
	}
	for _, d := range s.Destinations {
		values = append(values, d.AuthToken, d.WriteKey)
	}
	if u, err := url.Parse(s.Warehouse.URL); err == nil {
		password, _ := u.User.Password()
		values = append(values, password)
	}
	return canary.Of(values...)
}

// watch returns a logger that fails the test when a line holds a secret.
func watch(t testing.TB, s settings, log *slog.Logger) *slog.Logger {
	t.Helper()
	return slog.New(secretsIn(s).Handler(log.Handler(), func(problem string) { t.Error(problem) }))
}

// leavesNoSecret fails the test if a bridge has put a secret into its metrics, its
// tables or its files.
func leavesNoSecret(t testing.TB, b *bridge) {
	t.Helper()
	secrets := secretsIn(b.settings)
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), deadline)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.settings.Warehouse.URL)
	if err != nil {
		return // the test has taken its database away
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

// A secret that is sent where none belongs is found: the nets are not empty.
func TestAPlantedSecretIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	planted := secretsIn(w.bridge.settings)
	for _, secret := range []string{appKey, veroKey, veroToken, databasePassword} {
		if planted.In("… "+secret+" …") == "" {
			t.Errorf("%q is no canary", secret)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := w.db.Exec(ctx, "create table public.planted as select $1::text as key", veroToken); err != nil {
		t.Fatal(err)
	}
	found, err := planted.InTables(ctx, w.db)
	if err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := w.db.Exec(ctx, "drop table public.planted"); err != nil {
		t.Fatal(err)
	}
}
