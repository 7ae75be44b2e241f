package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/doctor"
)

// found returns what is found of a level, with the cures.
func found(all []doctor.Finding, level doctor.Level) string {
	var text strings.Builder
	for _, f := range all {
		if f.Level == level {
			text.WriteString(f.What + "; " + f.Cure + "\n")
		}
	}
	return text.String()
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	all := doctor.Folder(t.Context(), "data_dir", dir)
	if errors := found(all, doctor.Error); errors != "" {
		t.Error(errors)
	}
	var text strings.Builder
	for _, f := range all {
		text.WriteString(f.What + "\n")
		if (f.Level == doctor.OK) != (f.Cure == "") {
			t.Errorf("%q is %s and its cure is %q", f.What, f.Level, f.Cure)
		}
	}
	for _, want := range []string{"left", "a sync takes"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("nothing says %q: %s", want, text.String())
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
}

func TestFolderThatOthersCanRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // what is to be found
		t.Fatal(err)
	}
	if got := found(doctor.Folder(t.Context(), "data_dir", dir), doctor.Warning); !strings.Contains(got, "chmod 700 "+dir) {
		t.Errorf("warnings are %q", got)
	}
}

// A folder that is not there is judged by where it will be, and not made.
func TestFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := doctor.Folder(t.Context(), "data_dir", filepath.Join(dir, "verobridge-data", "spool"))
	if errors := found(all, doctor.Error); errors != "" {
		t.Error(errors)
	}
	if ok := found(all, doctor.OK); !strings.Contains(ok, dir) {
		t.Errorf("nothing is said of %s: %v", dir, all)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v was made (%v)", left, err)
	}
}

func TestFolderThatIsNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "spool")} {
		if errors := found(doctor.Folder(t.Context(), "data_dir", path), doctor.Error); !strings.Contains(errors, "let data_dir lead to a folder") {
			t.Errorf("of %s it finds %q", path, errors)
		}
	}
}
