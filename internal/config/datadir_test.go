package config

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLockDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	first, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("data directory %v, %v; want 0700", fi.Mode(), err)
	}
	_, err = LockDir(dir)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Fatalf("a second lock: %v, want an error that names the process", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDir(dir)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := LockDir(filepath.Join(dir, lockFile, "x")); err == nil {
		t.Error("a directory below a file is locked")
	}
}

func TestEnsureDefaultSecret(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadDefaultSecret(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: %v", err)
	}
	if _, _, err := EnsureDefaultSecret(dir, bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a secret was made of too little randomness")
	}
	s, created, err := EnsureDefaultSecret(dir, rand.Reader)
	if err != nil || !created || len(s.Reveal()) != 64 {
		t.Fatalf("first: %v, created %v, %d characters", err, created, len(s.Reveal()))
	}
	name := filepath.Join(dir, secretFile)
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", fi.Mode(), err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	again, created, err := EnsureDefaultSecret(dir, rand.Reader)
	if err != nil || created || again.Reveal() != s.Reveal() {
		t.Errorf("second: %v, created %v, same %v", err, created, again.Reveal() == s.Reveal())
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("an open file stays open: %v, %v", fi.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
	if err := os.WriteFile(name, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureDefaultSecret(dir, rand.Reader); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("an empty secret: %v", err)
	}
}
