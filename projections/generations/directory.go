package generations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
)

// current says which generation serves. It is replaced whole, so a crash leaves
// the old or the new one.
type current struct {
	Serving  string `json:"serving"`
	Previous string `json:"previous,omitempty"`
	// At is the position up to which ids that watchers come back with say nothing: where the
	// serving generation took over, or how far one before it can have got. Unsettled is set while that is not known.
	At        uint64 `json:"at,omitempty"`
	Unsettled bool   `json:"unsettled,omitempty"`
	// Declined holds the digests of the definitions that somebody decided against, by
	// cancelling their rebuild or rolling it back: they begin no rebuild by themselves.
	Declined map[string]string `json:"declined,omitempty"`
	// DeclinedProjections are the versions of projections that were decided against likewise.
	DeclinedProjections map[string]int `json:"declined_projections,omitempty"`
}

const (
	currentFile = "CURRENT"
	jobFile     = "rebuild.json"
	reportDir   = "reports"
)

func (s *Set) path(name string) string { return filepath.Join(s.o.Root, name) }

func (s *Set) loadCurrent() error {
	b, err := os.ReadFile(s.path(currentFile))
	if errors.Is(err, fs.ErrNotExist) {
		s.current = current{Serving: "g000001"}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.current)
	}
	if err != nil || s.current.Serving == "" {
		// The name alone is lost; the log gives everything back.
		s.o.Logger.Warn("cannot tell which projections served last; they are made anew from the log", slog.Any("file", s.path(currentFile)), slog.Any("error", err))
		s.current = current{Serving: s.nextName()}
	}
	return nil
}

// nextName is the first name behind all those that are there, and behind that of
// the last rebuild: no two rebuilds have one name.
func (s *Set) nextName() string {
	next := 1
	names := []string{s.job.Generation}
	entries, _ := os.ReadDir(s.o.Root)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, name := range names {
		var n int
		if _, err := fmt.Sscanf(name, "g%06d", &n); err == nil {
			next = max(next, n+1)
		}
	}
	return fmt.Sprintf("g%06d", next)
}

// digests names definitions.
func digests(definitions map[string]*providers.Definition) map[string]string {
	d := map[string]string{}
	for source, def := range definitions {
		d[source] = def.Digest()
	}
	return d
}

// decline notes that the definitions in force, and this code, are not to begin a
// rebuild by themselves. s.mu is held.
func (s *Set) decline() {
	s.current.decline(digests(s.definitions))
	if err := writeFile(s.path(currentFile), s.current); err != nil {
		s.o.Logger.Warn("the next start may begin the rebuild again", slog.Any("error", err))
	}
}

func (c *current) decline(definitions map[string]string) {
	c.Declined, c.DeclinedProjections = definitions, projections.Versions()
}

// writeFile replaces a file whole and durably.
func writeFile(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// tidy removes the generations that nothing refers to any more, but for the newest
// damaged one, and the reports of earlier rebuilds. s.mu is held.
func (s *Set) tidy() {
	reports, _ := os.ReadDir(s.path(reportDir))
	for _, e := range reports {
		if e.Name() != s.job.ID+".jsonl" && !s.job.State.unfinished() {
			_ = os.Remove(filepath.Join(s.path(reportDir), e.Name())) // it is in nobody's way
		}
	}
	keep := map[string]bool{s.current.Serving: true, s.current.Previous: true}
	if s.job.State.unfinished() {
		keep[s.job.Generation] = true
	}
	entries, err := os.ReadDir(s.o.Root)
	if err != nil {
		return
	}
	var damaged []string // the oldest first
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "g%06d", &n); err != nil || !e.IsDir() || keep[e.Name()] {
			continue
		}
		if s.marked(e.Name()) != nil {
			damaged = append(damaged, e.Name())
			continue
		}
		if err := os.RemoveAll(s.path(e.Name())); err != nil {
			s.o.Logger.Warn("an old generation could not be removed", slog.Any("generation", e.Name()), slog.Any("error", err))
		}
	}
	s.leave(damaged)
}
