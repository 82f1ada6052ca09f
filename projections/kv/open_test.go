package kv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// What does not fit together is damage; what the system does not let us do is not.
func TestWhatKeepsADirectoryFromOpening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := db.Batch()
	for i := range 5000 {
		if err := b.Set(fmt.Appendf(nil, "key %d", i), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Commit(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory that is open already: %v, which is no damage", err)
	}
	if err := errors.Join(db.p.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables (%v)", err)
	}
	whole, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"a table that is cut":      func() error { return os.WriteFile(tables[0], whole[:len(whole)/2], 0o600) },
		"a table that is gone":     func() error { return os.Remove(tables[0]) },
		"a table that is put back": func() error { return os.WriteFile(tables[0], whole, 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, Options{})
		if err == nil {
			err = db.Close()
		}
		if want := name != "a table that is put back"; errors.Is(err, ErrDamaged) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(dir+".file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir+".file", Options{}); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a file in place of the directory: %v, which is no damage", err)
	}
}
