package rebuilding

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/bench/oracle"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// withView opens a generation as a server does and shows a view of it.
func withView(dir string, o kv.Options, show func(*projections.View) error) error {
	db, err := kv.Open(dir, o)
	if err != nil {
		return err
	}
	view, err := projections.NewView(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(show(view), view.Close(), db.Close())
}

// digests does what a verify does once the scratch generation is built. Whether the rows that were written, by
// whatever wrote them, are those that are there is found out after the clock has stopped.
func (s Spec) digests(ctx context.Context, r *Result, written *rebuild.Written) error {
	return withView(s.Serving, kv.Options{}, func(serving *projections.View) error {
		return withView(s.Dir, kv.Options{Still: true}, func(scratch *projections.View) error {
			start := time.Now()
			a, err := rebuild.Digest(ctx, serving)
			if err != nil {
				return err
			}
			b, known := written.Digest(scratch)
			r.Digests = time.Since(start)
			c, err := rebuild.Digest(ctx, scratch)
			if err != nil {
				return err
			}
			if !known {
				b, r.Digests = c, 0
			}
			r.Equal = a.SHA256 == b.SHA256 && b.SHA256 == c.SHA256 && known == (s.What == Verify)
			return nil
		})
	})
}

// states returns the digest of all connections' states.
func states(dir string) (string, error) {
	digest := oracle.NewDigest()
	err := withView(dir, kv.Options{}, func(view *projections.View) error {
		var failed error
		_, err := view.Connections(connections.Filter{}, func(c connections.State, _ []byte) bool {
			var s oracle.State
			if s, failed = stateOf(&c); failed == nil {
				digest.Add(&s)
			}
			return failed == nil
		})
		return errors.Join(err, failed)
	})
	return digest.String(), err
}

// stateOf writes a state of Tidemark's as the oracle does.
func stateOf(c *connections.State) (oracle.State, error) {
	s := oracle.State{
		Connection: c.Connection, Failures: c.Sync.ConsecutiveFailures,
		LastSuccess: nanoseconds(c.Sync.LastSuccessAt), LastFailure: nanoseconds(c.Sync.LastFailureAt),
		Events: c.Counts.Events, Duplicates: c.Counts.Duplicates, Late: c.Counts.Late,
		First: nanoseconds(c.FirstEventAt), Last: nanoseconds(c.LastEventAt),
	}
	facets := [oracle.Facets]connections.FacetState{c.Lifecycle, c.Connectivity, c.Auth.FacetState, c.Sync.FacetState, c.Error.FacetState}
	for f, state := range facets {
		if state.Since == nil {
			continue // never set: what is shown is where it begins
		}
		value, ok := providers.Facet(f).ParseValue(state.Value)
		if !ok {
			return s, fmt.Errorf("connection %s: facet %s is %q", c.Connection, providers.Facet(f), state.Value)
		}
		s.Values[f], s.Since[f] = uint8(value), nanoseconds(state.Since)
	}
	return s, nil
}

func nanoseconds(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixNano()
}
