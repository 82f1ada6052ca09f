package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
)

// Bounds of a Trial. What is beyond them is counted.
const (
	MaxLimit   = 100_000 // events of a sample
	maxGroups  = 200
	maxSamples = 5
	maxShown   = 200
)

// Trial is what came of a sample.
type Trial struct {
	// Events is the number of events looked at, From and To the positions of the first and the last; Cut
	// says that the limit left some out.
	Events uint64 `json:"events" doc:"Events that were looked at"`
	From   uint64 `json:"from" doc:"Position of the first of them"`
	To     uint64 `json:"to" doc:"Position of the last of them"`
	Cut    bool   `json:"cut" doc:"Whether the limit left events out"`
	// Differ is the number of events that the two definitions read differently.
	Differ uint64        `json:"differ" doc:"Those that the two definitions read differently"`
	Groups []Group       `json:"groups" nullable:"false" doc:"What is read differently, the most frequent first"`
	Shown  []EventChange `json:"shown" nullable:"false" doc:"The first events that are read differently, at most 200"`
	// Whole is the number of connections whose whole history is in the sample, Partial that of the others.
	Whole   uint64 `json:"whole" doc:"Connections whose whole history is in the sample"`
	Partial uint64 `json:"partial" doc:"Connections of the sample of which more events, or perhaps more, lie outside of it"`
	// Changed is the number of whole connections that come out in another state.
	Changed uint64        `json:"changed" doc:"Those of the whole ones that come out in another state"`
	States  []StateChange `json:"states" nullable:"false" doc:"The first of them, at most 200"`
}

// Group counts the events in which one thing is read differently.
type Group struct {
	What   string   `json:"what" doc:"A facet, or connection, type, time, delivery id, detail, quarantine"`
	Old    string   `json:"old,omitempty" doc:"Left out where the event sets nothing, or the values are many"`
	New    string   `json:"new,omitempty"`
	Events uint64   `json:"events"`
	Sample []string `json:"sample" nullable:"false" doc:"Ids of some of the events"`
}

// EventChange is an event that two definitions read differently.
type EventChange struct {
	Event    string  `json:"event"`
	Source   string  `json:"source"`
	Position uint64  `json:"position"`
	Index    int     `json:"index"`
	Old      Reading `json:"old"`
	New      Reading `json:"new"`
}

// Try looks at a sample. With a definition it compares what the current one of
// the sample's source makes of it with what that one makes of it; without (nil), it compares the
// connection as it serves with what its events in the log make of it by the current definitions.
// It returns projections.ErrNotFound for a connection that is not there.
func Try(ctx context.Context, v *projections.View, log eventstore.Reader, current map[string]*providers.Definition, given *providers.Definition, s Sample) (Trial, error) {
	t := trial{view: v, sample: &s, result: Trial{Groups: []Group{}, Shown: []EventChange{}, States: []StateChange{}}}
	after := map[string]*providers.Definition{}
	for source, d := range current {
		after[source] = d
		if given != nil && source == s.Source {
			after[source] = given
		}
	}
	t.compare, t.old, t.new = given != nil, projections.NewObserver(current), projections.NewObserver(after)
	var err error
	if t.before, err = newFold(current); err != nil {
		return t.result, err
	}
	if t.after, err = newFold(after); err != nil {
		return t.result, errors.Join(err, t.before.close())
	}
	t.result.Cut, err = s.each(ctx, v, log, t.group)
	if err == nil {
		err = t.states()
	}
	slices.SortStableFunc(t.result.Groups, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(a.Events, b.Events), cmp.Compare(a.What, b.What), cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New))
	})
	return t.result, errors.Join(err, t.before.close(), t.after.close())
}

// trial is a Try under way.
type trial struct {
	view          *projections.View
	sample        *Sample
	compare       bool
	old, new      *projections.Observer
	before, after *fold
	a, b          read
	result        Trial
}

// group looks at the events of a group that are in the sample.
func (t *trial) group(g *eventstore.Group, of []int) error {
	r := &t.result
	if r.From == 0 {
		r.From = uint64(g.Position)
	}
	r.To = uint64(g.Position)
	r.Events += uint64(len(of))
	for _, i := range of {
		if !t.compare {
			break
		}
		e := &g.Events[i]
		if err := errors.Join(t.a.of(t.old, e), t.b.of(t.new, e)); err != nil {
			return err
		}
		found := changes(&t.a, &t.b)
		if len(found) == 0 {
			continue
		}
		r.Differ++
		for _, c := range found {
			r.count(c, e.ID.String())
		}
		if len(r.Shown) < maxShown {
			r.Shown = append(r.Shown, EventChange{e.ID.String(), e.Source, uint64(g.Position), i, t.a.reading(), t.b.reading()})
		}
	}
	return errors.Join(t.before.add(g, of), t.after.add(g, of))
}

func (r *Trial) count(c change, event string) {
	i := slices.IndexFunc(r.Groups, func(g Group) bool { return g.What == c.what && g.Old == c.old && g.New == c.new })
	if i < 0 {
		if len(r.Groups) == maxGroups {
			return
		}
		i = len(r.Groups)
		r.Groups = append(r.Groups, Group{What: c.what, Old: c.old, New: c.new, Sample: []string{}})
	}
	g := &r.Groups[i]
	g.Events++
	if len(g.Sample) < maxSamples {
		g.Sample = append(g.Sample, event)
	}
}

// ErrSource means that the sample names no source that a definition could be tried on.
var ErrSource = errors.New("no such source")

// Check says what is wrong with a sample, nil if nothing is.
func (s *Sample) Check(current map[string]*providers.Definition, given bool) error {
	switch {
	case s.Source != "" && current[s.Source] == nil:
		return fmt.Errorf("%w: %q is not in the server's configuration", ErrSource, s.Source)
	case given && s.Source == "":
		return fmt.Errorf("%w: a definition is tried on the events of one source, and none is named", ErrSource)
	}
	return nil
}
