package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestServerDiesWithItsProgram runs this test binary as the program that dies.
func TestServerDiesWithItsProgram(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("LOCALPG_TEST_DIR"); dir != "" {
		startIn(t, dir)
		fmt.Println("started")
		select {}
	}
	dir := tempDir(t)
	program := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsProgram$", "-test.timeout=60s")
	program.Env = append(os.Environ(), "LOCALPG_TEST_DIR="+dir)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Process.Kill(); _ = program.Wait() })
	line := make([]byte, len("started"))
	if _, err := out.Read(line); err != nil || string(line) != "started" {
		t.Fatalf("program said %q, %v", line, err)
	}
	p, ok := readPostmaster(filepath.Join(dir, "data"))
	if !ok {
		t.Fatal("no server runs")
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := poll(ctx, func() bool { return commandLine(ctx, p.pid) == "" }); err != nil {
		t.Errorf("the server outlived its program: %v", err)
	}
}
