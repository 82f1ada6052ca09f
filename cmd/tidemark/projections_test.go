package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// TestStoreFailed is what Pebble's end of the line means to a person, and to the
// next start: damage is marked beside the directory, a full disk is not.
func TestStoreFailed(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   int
		marked bool
	}{
		"full disk":  {errors.New("pebble: fatal commit error: no space left on device"), exitError, false},
		"corruption": {errors.New("on-disk corruption: 000005.sst; details: crc32c checksum mismatch"), exitIntegrity, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "g000002")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			if code := storeFailed(&said, path, c.err); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, words := range []string{"nothing that was acknowledged is lost", "start again", c.err.Error()} {
				if !strings.Contains(said.String(), words) {
					t.Errorf("it does not say %q: %s", words, said.String())
				}
			}
			if _, err := os.Stat(path + generations.DamagedMark); (err == nil) != c.marked {
				t.Errorf("marked as damaged: %v, want %v", err == nil, c.marked)
			}
		})
	}
}
