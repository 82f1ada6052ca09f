package projections

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Format is the version of the rows' layout (docs/FORMAT.md). A directory of
// another version is not read: it is rebuilt.
const Format = 1

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

// meta is the directory's one row about itself. It changes in the same batch as
// everything it speaks of.
type meta struct {
	Format      int               `json:"format"`
	Definitions map[string]string `json:"definitions"`
	Checkpoint  Checkpoint        `json:"checkpoint"`
	Stats       Stats             `json:"stats"`
}

func loadMeta(r kv.Reader) (meta, bool, error) {
	m := meta{Format: Format, Definitions: map[string]string{}}
	m.Stats.ByHealth, m.Stats.BySource = map[string]uint64{}, map[string]uint64{}
	b, ok, err := r.Get(nil, []byte{prefixMeta})
	if err != nil || !ok {
		return m, false, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, false, fmt.Errorf("%w: row about the directory: %w", kv.ErrDamaged, err)
	}
	return m, true, nil
}

func (m *meta) put(b *kv.Batch) error {
	v, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return b.Set([]byte{prefixMeta}, v)
}
