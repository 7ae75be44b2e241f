// Package canary finds secrets where they do not belong. What a test's bridge is set
// to, its write keys, tokens and passwords, are the canaries: whatever the bridge
// logs is looked through as it is logged, and what it leaves behind, in tables and
// files, when it has stopped.
package canary

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// shortest is how long a secret must be to be told from other text.
const shortest = 8

// Secrets are what must not be found.
type Secrets []string

// Of returns the secrets among values that are long enough to be recognised.
func Of(values ...string) Secrets {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return len(s) < shortest })
}

// In returns a sentence about the first secret that is in a text, plain or as it is
// in a header of Basic auth, or "".
func (s Secrets) In(text string) string {
	for _, secret := range s {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret + ":")), base64.StdEncoding.EncodeToString([]byte(":" + secret))} {
			if i := strings.Index(text, form); i >= 0 {
				return fmt.Sprintf("holds %q: …%s…", secret, text[max(0, i-200):min(len(text), i+len(form)+100)])
			}
		}
	}
	return ""
}

// InTables returns a sentence for each table of a database, views left out, that
// has a secret in some row.
func (s Secrets) InTables(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		select format('%I.%I', schemaname, tablename) from pg_tables
		where schemaname not in ('pg_catalog', 'information_schema')`)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var found []string
	for _, table := range tables {
		rows, err := conn.Query(ctx, "select t::text from "+table+" t where exists (select from unnest($1::text[]) secret where strpos(t::text, secret) > 0) limit 1", []string(s))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		for _, text := range texts {
			found = append(found, "a row of "+table+" "+s.In(text))
		}
	}
	return found, nil
}

// InFiles returns a sentence for each file below a directory that has a secret in
// it. What is compressed is not taken apart.
func (s Secrets) InFiles(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // what the bridge wrote is what is to be looked at
		if err != nil {
			return err
		}
		if problem := s.In(string(content)); problem != "" {
			found = append(found, path+" "+problem)
		}
		return nil
	})
	return found, err
}

// Handler returns a slog handler that passes records on to next, and calls leak with
// a sentence about each that holds a secret, at any level.
func (s Secrets) Handler(next slog.Handler, leak func(string)) slog.Handler {
	lines := &watched{secrets: s, leak: leak}
	return handler{next: next, text: slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug - 4})}
}

// watched is a writer that looks through each line.
type watched struct {
	mu      sync.Mutex
	secrets Secrets
	leak    func(string)
}

// Write implements io.Writer.
func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if problem := w.secrets.In(string(bytes.TrimSpace(line))); problem != "" {
		w.leak("a log line " + problem)
	}
	return len(line), nil
}

// handler writes each record to text, to be looked through, and to next.
type handler struct{ next, text slog.Handler }

// Enabled implements slog.Handler: every level is looked through.
func (h handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	_ = h.text.Handle(ctx, r) // its writer never fails
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(attrs), h.text.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.next.WithGroup(name), h.text.WithGroup(name)}
}
