// Package mapping measures what it costs to read an observation out of an
// event, for every fixture of every built-in definition.
//
// Guarantee: each figure is the mean of many readings of one payload by one mapper, as the
// projector reads with it, with the collection of garbage that this makes. It touches no disk.
package mapping

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Spec says how long each fixture is read.
type Spec struct{ For time.Duration }

// Fixture is what one payload cost.
type Fixture struct {
	Definition string `json:"definition"`
	Name       string `json:"name"`
	Bytes      int    `json:"bytes"`
	// Quarantined is set where the mapping cannot place it.
	Quarantined bool    `json:"quarantined,omitempty"`
	PerEvent    float64 `json:"ns_per_event"`
}

// Run reads every fixture.
func (s Spec) Run() ([]Fixture, error) {
	var out []Fixture
	for _, name := range providers.Builtin() {
		d, err := providers.Load(name)
		if err != nil {
			return nil, err
		}
		fixtures, err := providers.BuiltinFixtures(name)
		if err != nil {
			return nil, err
		}
		m := d.NewMapper()
		for i := range fixtures.List {
			met, err := s.read(m, &fixtures.List[i])
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, fixtures.List[i].Name, err)
			}
			met.Definition = name
			out = append(out, met)
		}
	}
	return out, nil
}

// read maps one fixture until its time is over.
func (s Spec) read(m *providers.Mapper, x *providers.Fixture) (Fixture, error) {
	out := Fixture{Name: x.Name, Bytes: len(x.Body)}
	header := x.Header()
	kept := map[string]string{} // as the projector finds them, without a canonical form
	for name := range header {
		kept[strings.ToLower(name)] = header.Get(name)
	}
	get := func(name string) string { return kept[name] }
	_, err := m.Map(x.Body, get)
	var u *providers.Unplaceable
	if out.Quarantined = errors.As(err, &u); err != nil && !out.Quarantined {
		return out, err
	}
	for n := 1; ; n *= 2 {
		began := time.Now()
		for range n {
			_, _ = m.Map(x.Body, get) // it was read above
		}
		if took := time.Since(began); took >= s.For {
			out.PerEvent = float64(took.Nanoseconds()) / float64(n)
			return out, nil
		}
	}
}
