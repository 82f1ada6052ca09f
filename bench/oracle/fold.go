package oracle

import (
	"cmp"
	"crypto/sha256"
	"slices"
)

// Observation is what counts of one event.
type Observation struct {
	Connection, Delivery string
	// Effective orders the events of a connection; events of equal time are in the order of the log.
	Effective int64
	Sets      [Facets]uint8
}

// Oracle takes the observations in the order of the log and keeps them all.
type Oracle struct {
	seen   map[[16]byte]uint32 // delivery id -> connection
	names  []string
	byName map[string]uint32
	events []kept
	counts []counts // by connection
}

type kept struct {
	effective  int64
	connection uint32
	place      uint32
	sets       [Facets]uint8
}

type counts struct {
	duplicates, late uint64
	latest           int64
	any              bool
}

// New returns an oracle that has been told nothing.
func New() *Oracle { return &Oracle{seen: map[[16]byte]uint32{}, byName: map[string]uint32{}} }

// Add tells it of the next event of the log.
func (o *Oracle) Add(e *Observation) {
	sum := sha256.Sum256([]byte(e.Delivery))
	id := [16]byte(sum[:])
	if first, was := o.seen[id]; was {
		o.counts[first].duplicates++
		return
	}
	connection, known := o.byName[e.Connection]
	if !known {
		connection = uint32(len(o.names))
		o.byName[e.Connection] = connection
		o.names, o.counts = append(o.names, e.Connection), append(o.counts, counts{})
	}
	o.seen[id] = connection
	c := &o.counts[connection]
	if c.any && e.Effective < c.latest {
		c.late++
	} else {
		c.latest, c.any = e.Effective, true
	}
	o.events = append(o.events, kept{e.Effective, connection, uint32(len(o.events)), e.Sets})
}

// States calls fn for the state of every connection in the order of their bytes.
// Nothing can be added after it.
func (o *Oracle) States(fn func(*State)) {
	rank := make([]uint32, len(o.names))
	order := make([]uint32, len(o.names))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(o.names[a], o.names[b]) })
	for r, c := range order {
		rank[c] = uint32(r)
	}
	slices.SortFunc(o.events, func(a, b kept) int {
		return cmp.Or(cmp.Compare(rank[a.connection], rank[b.connection]), cmp.Compare(a.effective, b.effective), cmp.Compare(a.place, b.place))
	})
	for from := 0; from < len(o.events); {
		to := from
		for to < len(o.events) && o.events[to].connection == o.events[from].connection {
			to++
		}
		s := o.fold(o.events[from:to])
		fn(&s)
		from = to
	}
}

// fold goes through the ordered events of one connection.
func (o *Oracle) fold(events []kept) State {
	c := &o.counts[events[0].connection]
	s := State{
		Connection: o.names[events[0].connection], Events: uint64(len(events)), Duplicates: c.duplicates, Late: c.late,
		First: events[0].effective, Last: events[len(events)-1].effective,
	}
	for i := range events {
		e := &events[i]
		for f, v := range e.sets {
			if v != 0 && v != s.Values[f] {
				s.Values[f], s.Since[f] = v, e.effective
			}
		}
		switch e.sets[SyncFacet] {
		case SyncSucceeded:
			s.Failures, s.LastSuccess = 0, e.effective
		case SyncFailed:
			s.Failures++
			s.LastFailure = e.effective
		}
	}
	return s
}
