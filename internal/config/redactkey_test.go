package config

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnsureRedactKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadRedactKey(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: %v", err)
	}
	if _, err := EnsureRedactKey(dir, bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key was made of too little randomness")
	}
	first, err := EnsureRedactKey(dir, rand.Reader)
	if err != nil || len(first) != 32 {
		t.Fatal(len(first), err)
	}
	name := filepath.Join(dir, "redact.key")
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want 0600", fi, err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := EnsureRedactKey(dir, strings.NewReader(""))
	if err != nil || !bytes.Equal(again, first) {
		t.Errorf("at the next start: %v, the same %v", err, bytes.Equal(again, first))
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("a file that was open to others: %v, %v", fi, err)
	}
	const damaged = "0badc0de"
	if err := os.WriteFile(name, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureRedactKey(dir, rand.Reader); err == nil || !strings.Contains(err.Error(), "restore it from a backup") || strings.Contains(err.Error(), damaged) {
		t.Errorf("a damaged key: %v", err)
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != damaged {
		t.Errorf("a damaged key was replaced: %s, %v", data, err)
	}
}
