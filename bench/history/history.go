// Package history makes the logs that rebuilds are measured on and keeps them between
// runs: events of a month about connections with Zipf weights, 5 % of them late by up to a week
// and 1 % delivered again, in a stream as Tidemark writes it.
//
// Guarantee: the same Spec makes the same events in the same order, whatever the number of
// events a message; what Make returns was read back from the log through Tidemark's own
// cursor. A directory that was not finished is made anew.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Spec describes a history. It names its directory, so that a kept one is found again.
type Spec struct {
	// Cache is where histories are kept.
	Cache string
	// Events is how many there are, redeliveries included.
	Events      int
	Connections int
	// Group is the number of events a message.
	Group int
	Body  int
	Seed  uint64
}

// Source is the configured source of all events.
const Source = "makini"

// Span is the time over which the events were received.
const Span = 30 * 24 * time.Hour

// version changes with what a Spec makes.
const version = 1

// Made is what a history holds, as it was read back and folded by the oracle.
type Made struct {
	Events      int `json:"events"`
	Positions   int `json:"positions"`
	Connections int `json:"connections"`
	Duplicates  int `json:"duplicates"`
	// Late counts events that came after one of a later effective time.
	Late int `json:"late"`
	// Bytes is the size of the files of the log.
	Bytes int64 `json:"bytes"`
	// States is the digest of the states that the oracle says.
	States string `json:"states"`
}

func (s Spec) dir() string { return filepath.Join(s.corpus(), fmt.Sprintf("group-%d", s.Group)) }

// corpus is the directory of the events, however they are grouped.
func (s Spec) corpus() string {
	return filepath.Join(s.Cache, fmt.Sprintf("v%d-%d-events-%d-connections-%d-bytes-seed-%d", version, s.Events, s.Connections, s.Body, s.Seed))
}

// Log is the directory of the log.
func (s Spec) Log() string { return filepath.Join(s.dir(), "log") }

// Observations is the file of what Tidemark's mapping reads out of the events, in
// the order of the log, as PostgreSQL's COPY takes it: place, connection, delivery id, effective
// time, and the five facets' values (0: left alone).
func (s Spec) Observations() string { return filepath.Join(s.corpus(), "observations.tsv") }

func (s Spec) made() string { return filepath.Join(s.dir(), "made.json") }

// Make makes the history unless it is there.
func (s Spec) Make() (Made, error) {
	var m Made
	text, err := os.ReadFile(s.made())
	if err == nil {
		return m, json.Unmarshal(text, &m)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := os.RemoveAll(s.dir()); err != nil {
		return m, err
	}
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		return m, err
	}
	if err := s.fill(); err != nil {
		return m, fmt.Errorf("fill the log: %w", err)
	}
	if m, err = s.readBack(); err != nil {
		return m, fmt.Errorf("read the log back: %w", err)
	}
	if m.Bytes, err = bytesUnder(s.Log()); err != nil {
		return m, err
	}
	if text, err = json.Marshal(m); err != nil {
		return m, err
	}
	return m, os.WriteFile(s.made(), text, 0o644)
}

func bytesUnder(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
