package rebuild

import (
	"errors"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Parting is an event at which two generations begin to differ.
type Parting struct {
	Event       string    `json:"event"`
	Position    uint64    `json:"position"`
	EffectiveAt time.Time `json:"effective_at"`
	// Exact is false where both sides read the event alike and yet sum up its
	// stretch of the timeline differently: the difference lies in the fold, at this event or one of
	// the few behind it.
	Exact bool `json:"exact"`
	// Old and New are how each side reads it; nil on the side that does not place it there.
	Old *Reading `json:"old,omitempty"`
	New *Reading `json:"new,omitempty"`

	key timeline.Key
}

// Reading is how a generation reads an event.
type Reading struct {
	Type string            `json:"type"`
	Rule string            `json:"rule,omitempty"`
	Sets map[string]string `json:"sets,omitempty"`
}

func readingOf(e *timeline.Entry) *Reading {
	r := &Reading{Type: e.Type, Rule: e.Rule}
	for f, v := range e.Sets {
		if v == providers.Unset {
			continue
		}
		if r.Sets == nil {
			r.Sets = map[string]string{}
		}
		r.Sets[providers.Facet(f).String()] = providers.Facet(f).ValueName(v)
	}
	return r
}

// partingOf makes a Parting of an event as both sides have it; one may be nil.
func partingOf(old, new *timeline.Entry, exact bool) *Parting {
	e := old
	if e == nil {
		e = new
	}
	p := &Parting{Event: e.EventID(), Position: e.Key.Position, EffectiveAt: time.Unix(0, e.Key.Effective).UTC(), Exact: exact, key: e.Key}
	if old != nil {
		p.Old = readingOf(old)
	}
	if new != nil {
		p.New = readingOf(new)
	}
	return p
}

func earlier(a, b *Parting) *Parting {
	if a == nil || b != nil && b.key.Compare(a.key) < 0 {
		return b
	}
	return a
}

// firstOf is the parting of a connection that only one side knows: its first event.
func firstOf(r kv.Reader, row *connections.Row, kind string) (p *Parting, err error) {
	t := timeline.NewReader(r, timeline.ConnOf(row.Source, row.ID), &row.Spine)
	err = t.Walk(timeline.MinKey, timeline.MaxKey, false, func(e *timeline.Entry) bool {
		if kind == Added {
			p = partingOf(nil, e, true)
		} else {
			p = partingOf(e, nil, true)
		}
		return false
	})
	return p, errors.Join(err, t.Close())
}

// facetDiffers says in what two rows differ in a facet.
func facetDiffers(f providers.Facet, old, new *connections.Row) (what []string) {
	a, b := &old.Sum.Facets[f], &new.Sum.Facets[f]
	if a.Sets > 0 != (b.Sets > 0) || a.Last != b.Last {
		what = append(what, "value")
	}
	if a.Since != b.Since || old.Setters[f].Event != new.Setters[f].Event {
		what = append(what, "since")
	}
	if old.Setters[f].Detail != new.Setters[f].Detail {
		what = append(what, "detail")
	}
	if f == providers.Sync && old.Sum.Sync != new.Sum.Sync {
		what = append(what, "outcomes")
	}
	if what == nil && *a != *b {
		what = append(what, "history")
	}
	return what
}

func countsDiffer(a, b *timeline.Summary) (what []string) {
	for _, c := range []struct {
		name string
		same bool
	}{
		{"events", a.Events == b.Events},
		{"late", a.Late == b.Late},
		{"duplicates", a.Duplicates == b.Duplicates},
		{"conflicts", a.Conflicts == b.Conflicts},
		{"times", a.First == b.First && a.Last == b.Last && a.MaxReceived == b.MaxReceived && a.MaxPosition == b.MaxPosition},
	} {
		if !c.same {
			what = append(what, c.name)
		}
	}
	return what
}

// pair is one connection on both sides.
type pair struct {
	a, b     timeline.Side
	old, new *connections.Row
}

func newPair(a, b kv.Reader, old, new *connections.Row) *pair {
	c := timeline.ConnOf(old.Source, old.ID)
	return &pair{
		a: timeline.Side{Rows: a, Conn: c, Spine: &old.Spine}, old: old,
		b: timeline.Side{Rows: b, Conn: c, Spine: &new.Spine}, new: new,
	}
}

// facet returns the first event at which the sides part in a facet.
func (p *pair) facet(f providers.Facet) (*Parting, error) {
	a, b := &p.old.Sum.Facets[f], &p.new.Sum.Facets[f]
	if *a == *b && (f != providers.Sync || p.old.Sum.Sync == p.new.Sum.Sync) {
		// The runs are the same, so the difference is in what one and the same event says.
		k := a.LastKey
		if p.old.Setters[f].Event != p.new.Setters[f].Event {
			k = a.Since
		}
		return p.walk(k, func(x, y *timeline.Entry) bool { return true })
	}
	from, err := timeline.Parting(p.a, p.b, func(x, y *timeline.Summary) bool {
		return x.Facets[f] == y.Facets[f] && (f != providers.Sync || x.Sync == y.Sync)
	})
	if err != nil {
		return nil, err
	}
	return p.walk(from, func(x, y *timeline.Entry) bool { return x.Sets[f] != y.Sets[f] })
}

// counts returns the first event at which the sides part in what they count.
func (p *pair) counts() (*Parting, error) {
	counted := func(s *timeline.Summary) [9]uint64 {
		return [...]uint64{s.Events, s.Late, s.Duplicates, s.Conflicts, uint64(s.First), uint64(s.Last), uint64(s.MinReceived), uint64(s.MaxReceived), s.MaxPosition}
	}
	from, err := timeline.Parting(p.a, p.b, func(x, y *timeline.Summary) bool { return counted(x) == counted(y) })
	if err != nil {
		return nil, err
	}
	return p.walk(from, func(x, y *timeline.Entry) bool {
		return x.Late != y.Late || x.Duplicates != y.Duplicates || x.Conflicts != y.Conflicts ||
			x.ReceivedAt != y.ReceivedAt || x.LastReceivedAt != y.LastReceivedAt || x.LastPosition != y.LastPosition
	})
}

// walk walks both timelines from a key to the first event that only one side
// has or in which differs says that they differ. Where the rest of the block holds none, the
// difference is one of the fold, and it is the first event of the block.
func (p *pair) walk(from timeline.Key, differs func(x, y *timeline.Entry) bool) (*Parting, error) {
	a, b := newSteps(p.a, from), newSteps(p.b, from)
	defer a.close()
	defer b.close()
	var first *Parting
	for n := 0; ; n++ {
		x, err := a.next()
		if err != nil {
			return nil, err
		}
		y, err := b.next()
		if err != nil {
			return nil, err
		}
		switch {
		case x == nil && y == nil:
			return first, nil
		case y == nil || x != nil && x.Key.Compare(y.Key) < 0:
			return partingOf(x, nil, true), nil
		case x == nil || y.Key.Compare(x.Key) < 0:
			return partingOf(nil, y, true), nil
		case x.Key == y.Key && differs(x, y):
			return partingOf(x, y, true), nil
		}
		if n > 0 && x.Key.Level() > 0 {
			return first, nil
		}
		if first == nil {
			first = partingOf(x, y, false)
		}
	}
}

// steps walks a timeline one entry at a time, a page at a time.
type steps struct {
	reader *timeline.Reader
	from   timeline.Key
	page   []*timeline.Entry
	end    bool
}

const page = 64

func newSteps(s timeline.Side, from timeline.Key) *steps {
	return &steps{reader: timeline.NewReader(s.Rows, s.Conn, s.Spine), from: from}
}

// next returns the next entry, nil behind the last.
func (s *steps) next() (*timeline.Entry, error) {
	if len(s.page) == 0 && !s.end {
		err := s.reader.Walk(s.from, timeline.MaxKey, false, func(e *timeline.Entry) bool {
			s.page = append(s.page, e)
			return len(s.page) < page
		})
		if err != nil {
			return nil, err
		}
		if s.end = len(s.page) < page; len(s.page) > 0 {
			s.from = s.page[len(s.page)-1].Key.Next()
		}
	}
	if len(s.page) == 0 {
		return nil, nil
	}
	e := s.page[0]
	s.page = s.page[1:]
	return e, nil
}

func (s *steps) close() { _ = s.reader.Close() }
