package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// zipped compresses texts, each as a member of its own, as appended files are.
func zipped(t *testing.T, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

type read struct {
	Number int64
	Text   string
}

// readAll returns the lines of a file, and the error that ended them.
func readAll(t *testing.T, path string) ([]read, error) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = r.Close() })
	var lines []read
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, read{line.Number, string(line.Text)})
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"logs/2/b.gz", "logs/2/a.gz", "logs/10/c.gz", "logs/.hidden/d.gz", "logs/.e", "one.ndjson"} {
		write(t, filepath.Join(dir, name), []byte("{}"))
	}
	if err := os.Symlink(filepath.Join(dir, "logs"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	files, err := Files(filepath.Join(dir, "one.ndjson"), filepath.Join(dir, "link"), filepath.Join(dir, "logs", "2", "a.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		name, err := filepath.Rel(dir, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
		if f.Size != 2 {
			t.Errorf("%s has %d bytes", name, f.Size)
		}
	}
	if diff := cmp.Diff([]string{"one.ndjson", "logs/10/c.gz", "logs/2/a.gz", "logs/2/b.gz"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, bad := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "logs", ".hidden", "..", ".none")} {
		if _, err := Files(bad); err == nil {
			t.Errorf("%s has files", bad)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Files(filepath.Join(dir, "empty")); err == nil {
		t.Error("an empty folder has files")
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	want := []read{{1, `{"a":1}`}, {3, `{"b":2}`}, {4, "no JSON"}, {5, `{"c":3}`}}
	text := "{\"a\":1}\n\n  {\"b\":2}\r\nno JSON\n{\"c\":3}"
	for name, content := range map[string][]byte{
		"plain":                  []byte(text),
		"gzip":                   zipped(t, text),
		"gzip of several pieces": zipped(t, text[:10], text[10:]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, content)
			got, err := readAll(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongLineIsCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte(strings.Repeat("x", MaxLine+10)+"\nshort\n"))
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	line, err := r.Next()
	if err != nil || !line.TooLong || len(line.Text) != MaxLine {
		t.Errorf("long line: %d bytes, too long %v, %v", len(line.Text), line.TooLong, err)
	}
	line, err = r.Next()
	if err != nil || line.TooLong || string(line.Text) != "short" {
		t.Errorf("the line behind it: %q, too long %v, %v", line.Text, line.TooLong, err)
	}
}

func TestBrokenGzipGivesItsLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file.gz")
	whole := append(zipped(t, "{}\n"), zipped(t, strings.Repeat("{\"more\":true}\n", 100))...)
	write(t, path, whole[:len(whole)-9])
	got, err := readAll(t, path)
	if err == nil || len(got) == 0 {
		t.Errorf("%d lines, error %v; want the lines and an error", len(got), err)
	}
}

// The digest is that of the lines up to here, however they are stored.
func TestDigest(t *testing.T) {
	t.Parallel()
	after := func(content []byte, lines int) string {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, content)
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		for range lines {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		return r.Digest()
	}
	two := after([]byte("a\nb\n"), 2)
	if longer := after(zipped(t, "a\nb\nc\n"), 2); longer != two {
		t.Error("the same lines with others behind them have another digest")
	}
	if other := after([]byte("a\nB\n"), 2); other == two {
		t.Error("other lines have the same digest")
	}
}

func TestByteOrderMarkIsNoPartOfTheFirstLine(t *testing.T) {
	t.Parallel()
	plain, packed := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "packed.gz")
	write(t, plain, []byte("\ufeff{}\n"))
	write(t, packed, zipped(t, "\ufeff{}\n"))
	for _, path := range []string{plain, packed} {
		got, err := readAll(t, path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]read{{1, "{}"}}, got); diff != "" {
			t.Errorf("lines of %s (-want +got):\n%s", path, diff)
		}
	}
}
