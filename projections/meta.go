package projections

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Format is the version of the rows' layout (docs/FORMAT.md). A directory of
// another version is not read: it is rebuilt. Rows of the same layout that say something else are
// another version of their projection (Versions).
const Format = 2

// Stats counts what a directory holds.
type Stats struct {
	Connections uint64            `json:"connections"`
	ByHealth    map[string]uint64 `json:"by_health"`
	BySource    map[string]uint64 `json:"by_source"`
	Quarantine  uint64            `json:"quarantine"`
}

func (s Stats) clone() Stats {
	s.ByHealth, s.BySource = maps.Clone(s.ByHealth), maps.Clone(s.BySource)
	return s
}

func (s *Stats) move(source string, before, after connections.Health) {
	if before == after {
		return
	}
	if before == 0 {
		s.Connections++
		s.BySource[source]++
	} else {
		s.ByHealth[before.String()]--
	}
	s.ByHealth[after.String()]++
}

// Generation is a directory's one row about itself. It changes in the same batch
// as everything it speaks of.
type Generation struct {
	// Name is the name of the directory that a rebuild made; "" of one that never was rebuilt.
	Name   string `json:"name,omitempty"`
	Format int    `json:"format"`
	// Definitions holds the digest of each source's definition, or Several.
	Definitions map[string]string `json:"definitions"`
	// Projections holds the version of each projection that made the rows (Versions). The live
	// projector leaves it as it is: only a rebuild makes all rows by the code of now.
	Projections map[string]int `json:"projections"`
	Checkpoint  Checkpoint     `json:"checkpoint"`
	Stats       Stats          `json:"stats"`
	// Unfinished is the phase of a rebuild that has yet to come to its end. Such a
	// directory can only be gone on with.
	Unfinished string `json:"unfinished,omitempty"`
}

type meta = Generation

// ErrUnfinished means that a directory is a rebuild's that has not come to its end.
var ErrUnfinished = errors.New("generation is not finished")

func loadMeta(r kv.Reader) (meta, bool, error) {
	m, ok, err := LoadGeneration(r)
	if err == nil && m.Unfinished != "" {
		err = fmt.Errorf("%w: the rebuild %s stopped in its phase %q", ErrUnfinished, m.Name, m.Unfinished)
	}
	return m, ok, err
}

// LoadGeneration reads what a directory says about itself; false where it is empty.
func LoadGeneration(r kv.Reader) (Generation, bool, error) {
	m := meta{Format: Format, Definitions: map[string]string{}}
	m.Stats.ByHealth, m.Stats.BySource = map[string]uint64{}, map[string]uint64{}
	b, ok, err := r.Get(nil, []byte{prefixMeta})
	if err != nil || !ok {
		m.Projections = Versions()
		return m, false, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, false, fmt.Errorf("%w: row about the directory: %w", kv.ErrDamaged, err)
	}
	m.Projections = complete(m.Projections)
	return m, true, nil
}

func (m *meta) put(b *kv.Batch) error {
	key, value, err := m.Row()
	if err != nil {
		return err
	}
	return b.Set(key, value)
}

// Row returns the row in which a directory says this about itself.
func (m *Generation) Row() (key, value []byte, err error) {
	value, err = json.Marshal(m)
	return []byte{prefixMeta}, value, err
}
