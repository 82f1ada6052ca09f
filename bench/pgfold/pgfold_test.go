package pgfold

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-dev/tidemark/bench/history"
)

const bin = "/usr/lib/postgresql/15/bin"

func TestBothWaysAgreeWithTheOracle(t *testing.T) {
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		t.Skipf("PostgreSQL 15 is not installed: %v", err)
	}
	cache, err := os.MkdirTemp("", "pgfold-*") // where another user may go
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(cache)
	if err := os.Chmod(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	h := history.Spec{Cache: cache, Events: 20_000, Connections: 300, Group: 32, Body: 600, Seed: 1}
	made, err := h.Make()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Run(t.Context(), bin, filepath.Join(cache, "pg"), h.Observations(), Set, Rows, Set)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Folds) != 3 || got.Load <= 0 {
		t.Fatalf("%+v", got)
	}
	for _, f := range got.Folds {
		if f.States != made.States || f.Took <= 0 {
			t.Errorf("%+v, want %s", f, made.States)
		}
	}
}
