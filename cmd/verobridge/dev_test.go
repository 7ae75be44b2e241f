package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// dev alone, without any settings, does the main job: all four counters move,
// all seven email tables fill, and Ctrl-C ends it in peace.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	var out lockedBuffer
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{
			"dev", "--data-dir", dir, "--pace", "50ms",
			"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--mock-vero", "127.0.0.1:0",
		}, os.LookupEnv, &out, t.Output())
	}()
	line := regexp.MustCompile(`events in [1-9]\d* · Vero calls [1-9]\d* · emails back [1-9]\d* · rows written [1-9]\d*`)
	awaitCondition(t, "the counters to move in all four places", func() bool {
		select {
		case err := <-done:
			t.Fatalf("dev ended: %v\n%s", err, out.String())
		default:
		}
		return line.MatchString(out.String())
	})
	url := regexp.MustCompile(`postgres://[^']+`).FindString(out.String())
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db}
	for _, collection := range collections {
		table := strings.ReplaceAll(strings.ToLower(collection), " ", "_")
		w.await(t, "a row in vero."+table, fmt.Sprintf(`select exists(select from vero.%s)`, table))
	}
	w.await(t, "a recipient known by address alone", `
		select exists(select from vero.tracks where user_id is null and anonymous_id like '%@example.com')`)
	_ = db.Close(t.Context())
	config := filepath.Join(dir, "verobridge.yaml")
	for _, args := range [][]string{
		{"why", "user-0000"}, {"dead", "list"}, {"check"}, {"map", "--last", "1"}, {"send", "track", "--user", "you", "--event", "Tried"},
	} {
		if err := run(t.Context(), append(args, "--config", config), os.LookupEnv, t.Output(), t.Output()); err != nil {
			t.Errorf("verobridge %s --config %s: %v", strings.Join(args, " "), config, err)
		}
	}
	interrupt()
	if err := <-done; err != nil {
		t.Errorf("dev ended with %v", err)
	}
}
