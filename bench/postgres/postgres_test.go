package postgres

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

const bin = "/usr/lib/postgresql/15/bin"

func TestAClusterComesAndGoes(t *testing.T) {
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		t.Skipf("no PostgreSQL 15 on this machine: %v", err)
	}
	// Not t.TempDir: PostgreSQL's user must be able to walk down to it.
	parent, err := os.MkdirTemp("", "tidemark-bench-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, dir := context.Background(), filepath.Join(parent, "pg")
	c, err := Start(ctx, bin, dir, Settings{"shared_buffers": "16MB"})
	if err != nil {
		t.Fatal(err)
	}
	pid := c.PID()
	if err := c.Exec(ctx, "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)"); err != nil {
		t.Error(err)
	}
	if n, err := c.Count(ctx, "SELECT count(*) FROM t"); err != nil || n != 2 {
		t.Errorf("counted %d, %v; want 2", n, err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is still there", pid)
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAClusterThatCannotStartSaysWhy(t *testing.T) {
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		t.Skipf("no PostgreSQL 15 on this machine: %v", err)
	}
	parent, err := os.MkdirTemp("", "tidemark-bench-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), bin, filepath.Join(parent, "pg"), Settings{"no_such_setting": "1"}); err == nil {
		t.Error("a setting that does not exist was accepted")
	} else {
		t.Log(err)
	}
}
