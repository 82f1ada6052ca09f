package ingest

import (
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Table is a set of sources that was checked and can be put in place of another.
type Table struct {
	sources  map[string]*source
	decoders *decoders
	largest  int64 // the MaxBody of the most generous source
}

// Table checks sources. It changes nothing yet: Replace puts the table in force.
// The error names the source that is wrong.
func (h *Handler) Table(sources []Source) (*Table, error) {
	t := &Table{sources: make(map[string]*source, len(sources))}
	for _, s := range sources {
		t.largest = max(t.largest, s.MaxBody)
	}
	before := h.table.Load()
	var err error
	if before != nil && before.largest == t.largest {
		t.decoders = before.decoders
	} else if t.decoders, err = newDecoders(t.largest); err != nil {
		return nil, err
	}
	for _, s := range sources {
		headers, err := allowList(s.Headers)
		switch {
		case err != nil:
		case !eventstore.ValidName(s.Name):
			err = errors.New("the name is not a-z or 0-9, then also _ and -, at most 64")
		case t.sources[s.Name] != nil:
			err = errors.New("there are two of that name")
		case s.Verify == nil || s.MaxBody < 1:
			err = errors.New("it has no verifier, or accepts no byte")
		}
		if err != nil {
			return nil, fmt.Errorf("source %.80q: %w", s.Name, err)
		}
		one := h.newSource(s.Name, s, headers)
		one.decoders = t.decoders
		if before != nil && before.sources[s.Name] != nil {
			// What is logged of a source stays bounded, however often it is replaced.
			one.limit = before.sources[s.Name].limit
		}
		t.sources[s.Name] = one
	}
	return t, nil
}

// Replace puts a table in force, at once and as a whole: requests that begin
// from now on meet its sources and no others, and those under way end with what they
// began with. Safe for concurrent use with requests.
func (h *Handler) Replace(t *Table) { h.table.Store(t) }

// source is the source of that name, nil where there is none.
func (h *Handler) source(name string) *source { return h.table.Load().sources[name] }
