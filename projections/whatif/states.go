package whatif

import (
	"cmp"
	"errors"
	"iter"
	"reflect"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// StateChange is a connection that comes out in another state.
type StateChange struct {
	Source     string `json:"source"`
	Connection string `json:"connection"`
	// What lists what differs: facets, "health", "counts".
	What []string `json:"what" nullable:"false" doc:"Facets, health, counts"`
	// Old is nil where only the new side has the connection, New where only the old one has.
	Old *connections.State `json:"old,omitempty"`
	New *connections.State `json:"new,omitempty"`
}

// states compares what came out of the sample, connection by connection.
func (t *trial) states() error {
	nextOld, stopOld := iter.Pull2(t.before.states())
	defer stopOld()
	nextNew, stopNew := iter.Pull2(t.after.states())
	defer stopNew()
	own, seen := projections.Name{Source: t.sample.Source, Connection: t.sample.Connection}, false
	a, err, inA := nextOld()
	if err != nil {
		return err
	}
	b, err, inB := nextNew()
	if err != nil {
		return err
	}
	for inA || inB {
		order := 0
		switch {
		case !inB:
			order = -1
		case !inA:
			order = 1
		default:
			order = cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Connection, b.Connection))
		}
		var old, new *connections.State
		if order <= 0 {
			old = a
			if a, err, inA = nextOld(); err != nil {
				return err
			}
		}
		if order >= 0 {
			new = b
			if b, err, inB = nextNew(); err != nil {
				return err
			}
		}
		n := nameOf(old, new)
		seen = seen || n == own
		if err := t.state(n, old, new); err != nil {
			return err
		}
	}
	if own.Connection != "" && !seen { // none of its events is read as its own any more
		return t.state(own, nil, nil)
	}
	return nil
}

func nameOf(a, b *connections.State) projections.Name {
	if a == nil {
		a = b
	}
	return projections.Name{Source: a.Source, Connection: a.Connection}
}

func (t *trial) state(n projections.Name, old, new *connections.State) error {
	served, err := t.view.Connection(n.Source, n.Connection)
	known := !errors.Is(err, projections.ErrNotFound)
	if err != nil && known {
		return err
	}
	own := n.Connection == t.sample.Connection && n.Source == t.sample.Source
	switch {
	case own && !t.result.Cut && !t.compare:
		old = &served // what serves is held to what the log says
	case own && !t.result.Cut:
	case known && old != nil && old.Counts.Events == served.Counts.Events:
	default:
		t.result.Partial++
		return nil
	}
	t.result.Whole++
	what := stateDiffers(old, new)
	if len(what) == 0 {
		return nil
	}
	t.result.Changed++
	if len(t.result.States) < maxShown {
		t.result.States = append(t.result.States, StateChange{n.Source, n.Connection, what, old, new})
	}
	return nil
}

// stateDiffers lists in what two states differ.
func stateDiffers(a, b *connections.State) []string {
	if a == nil || b == nil {
		if a == b {
			return nil
		}
		return []string{"health"}
	}
	var what []string
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"lifecycle", a.Lifecycle, b.Lifecycle},
		{"connectivity", a.Connectivity, b.Connectivity},
		{"auth", a.Auth, b.Auth},
		{"sync", a.Sync, b.Sync},
		{"error", a.Error, b.Error},
		{"health", a.Health, b.Health},
		{"counts", a.Counts, b.Counts},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			what = append(what, part.name)
		}
	}
	return what
}
