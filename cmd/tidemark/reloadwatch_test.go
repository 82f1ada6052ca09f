package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Files are due once they have changed and are the same at two looks.
func TestLookout(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var l lookout
	looks := func(wrong bool, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := l.due(files, wrong); got != w {
				t.Errorf("look %d: due %v, want %v", i+1, got, w)
			}
		}
	}
	write("a", "1")
	looks(false, false, true, false, false) // what changed since the start read it
	write("a", "2")
	looks(false, false)
	write("a", "3") // still being written
	looks(false, false, true, false)
	write("b", "1") // was not there
	looks(false, false, true, false)
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	looks(false, false, true, false)
	write("a", "1") // the same again, in another file
	looks(false, false, false)

	// What is wrong is read now and then, whatever happens to the known files.
	write("a", "4")
	looks(false, false, true)
	looks(true, false, false, false, false, true, false, false, false, false, true)
	l.readAll(files)
	looks(true, false, false, false, false, true)
	write("a", "5")
	l.readAll(files) // by a signal, before the next look
	looks(false, false, false)

	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil { // neither file nor error
		t.Fatal(err)
	}
	looks(false, false, true, false)
}
