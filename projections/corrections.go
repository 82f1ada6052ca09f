package projections

import (
	"errors"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Correction is what a late event changed in the past: from From to To the
// facet was taken for Was, and since LearnedAt we know that it was Is.
type Correction struct {
	Facet     string     `json:"facet"`
	From      time.Time  `json:"from" doc:"Effective time of the late event"`
	To        *time.Time `json:"to,omitempty" doc:"When the next event that was known set the facet; left out where none had"`
	Was       string     `json:"was" doc:"What the facet was taken for, by all that was known before"`
	Is        string     `json:"is" doc:"What it was"`
	LearnedAt time.Time  `json:"learned_at" doc:"When the late event was received"`
	Event     string     `json:"event" doc:"The late event"`
	Type      string     `json:"type"`
	// Key is where the late event stands, for paging.
	Key timeline.Key `json:"-"`
}

// Corrections calls fn for what each late event of a connection changed, in
// event-time order within s, until it returns false. What was known before a
// late event is what was received before it. It derives the corrections from the timeline,
// so they are those of any rebuild too.
func (v *View) Corrections(source, id string, s Span, fn func(Correction) bool) error {
	row, err := v.row(source, id)
	if err != nil {
		return err
	}
	r, q := v.reader(&row), v.reader(&row)
	from, to := s.keys()
	var failed error
	err = r.WalkLate(from, to, s.Descending, func(e *timeline.Entry) bool {
		var more bool
		more, failed = correct(q, e, fn)
		return more && failed == nil
	})
	return errors.Join(err, failed, r.Close(), q.Close())
}

// correct calls fn for each facet that a late event changed.
func correct(r *timeline.Reader, e *timeline.Entry, fn func(Correction) bool) (bool, error) {
	if e.Sets == ([providers.NumFacets]providers.Value{}) {
		return true, nil
	}
	before, err := r.Range(timeline.MinKey, e.Key, e.ReceivedAt-1)
	if err != nil {
		return false, err
	}
	after, err := r.Range(e.Key.Next(), timeline.MaxKey, e.ReceivedAt-1)
	if err != nil {
		return false, err
	}
	was := connections.Values(&before)
	for f, is := range e.Sets {
		if is == providers.Unset || is == was[f] {
			continue
		}
		facet := providers.Facet(f)
		c := Correction{
			Facet: facet.String(), Was: facet.ValueName(was[f]), Is: facet.ValueName(is),
			From: nano(e.Key.Effective), LearnedAt: nano(e.ReceivedAt),
			Event: e.EventID(), Type: e.Type, Key: e.Key,
		}
		if next := &after.Facets[f]; next.Sets > 0 {
			if next.FirstKey.Effective == e.Key.Effective {
				continue // replaced at the same instant: it never held
			}
			t := nano(next.FirstKey.Effective)
			c.To = &t
		}
		if !fn(c) {
			return false, nil
		}
	}
	return true, nil
}

func nano(ns int64) time.Time { return time.Unix(0, ns).UTC() }
