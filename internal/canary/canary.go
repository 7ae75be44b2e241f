// Package canary finds secrets where they do not belong. What a test's bridge is set
// to, its write keys, tokens and passwords, are the canaries: whatever the bridge
// logs is looked through as it is logged, and what it leaves behind, in tables and
// files, when it has stopped.
package canary

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Secrets are what must not be found, in each form in which it could be written.
type Secrets struct{ forms []form }

// Of returns the values that are set as secrets. One that is too short to be told
// from other text is an error.
func Of(values ...string) (Secrets, error) {
	const shortest = 8 // bytes
	var s Secrets
	for _, value := range values {
		switch {
		case value == "":
		case len(value) < shortest:
			return Secrets{}, fmt.Errorf("%q is too short to be told from other text; take a secret of %d bytes or more", value, shortest)
		default:
			s.forms = append(s.forms, formsOf(value)...)
		}
	}
	return s, nil
}

// In returns a sentence about the first secret that is in a text, in whichever
// form, or "".
func (s Secrets) In(text string) string {
	for _, f := range s.forms {
		if i := strings.Index(text, f.text); i >= 0 {
			return fmt.Sprintf("holds %q: …%s…", f.secret, text[max(0, i-200):min(len(text), i+len(f.text)+100)])
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
		problem, err := s.inTable(ctx, conn, table)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		if problem != "" {
			found = append(found, "a row of "+table+" "+problem)
		}
	}
	return found, nil
}

// inTable looks through a table, row by row, until it finds a secret.
func (s Secrets) inTable(ctx context.Context, conn *pgx.Conn, table string) (string, error) {
	// The simple protocol gives each value as text.
	rows, err := conn.Query(ctx, "select * from "+table, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		for _, value := range rows.RawValues() {
			if problem := s.In(string(value)); problem != "" {
				return problem, nil
			}
		}
	}
	return "", rows.Err()
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
