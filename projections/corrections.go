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
}

// Corrections calls fn for each late event of a connection, in event-time order
// within s, with what it changed of the past, which may be nothing, until fn returns false. What was
// known before a late event is what was received before it. It derives the corrections from the
// timeline, so they are those of any rebuild too.
func (v *View) Corrections(source, id string, s Span, fn func(late timeline.Key, changed []Correction) bool) error {
	row, err := v.row(source, id)
	if err != nil {
		return err
	}
	r, q := v.reader(&row), v.reader(&row)
	from, to := s.keys()
	var failed error
	err = r.WalkLate(from, to, s.Descending, func(e *timeline.Entry) bool {
		var changed []Correction
		changed, failed = correct(q, e)
		return failed == nil && fn(e.Key, changed)
	})
	return errors.Join(err, failed, r.Close(), q.Close())
}

// CorrectionsOf returns what an entry of a connection changed of the past:
// nothing, for one that did not come late.
func (v *View) CorrectionsOf(source, id string, e *timeline.Entry) ([]Correction, error) {
	if !e.Late {
		return nil, nil
	}
	row, err := v.row(source, id)
	if err != nil {
		return nil, err
	}
	r := v.reader(&row)
	changed, err := correct(r, e)
	return changed, errors.Join(err, r.Close())
}

// correct returns the facets that a late event changed.
func correct(r *timeline.Reader, e *timeline.Entry) (changed []Correction, err error) {
	if e.Sets == ([providers.NumFacets]providers.Value{}) {
		return nil, nil
	}
	before, err := r.Range(timeline.MinKey, e.Key, e.ReceivedAt-1)
	if err != nil {
		return nil, err
	}
	after, err := r.Range(e.Key.Next(), timeline.MaxKey, e.ReceivedAt-1)
	if err != nil {
		return nil, err
	}
	was := connections.Values(&before)
	for f, is := range e.Sets {
		if is == providers.Unset || is == was[f] {
			continue
		}
		facet := providers.Facet(f)
		c := Correction{
			Facet: facet.String(), Was: facet.ValueName(was[f]), Is: facet.ValueName(is),
			From: nano(e.Key.Effective), LearnedAt: nano(e.ReceivedAt), Event: e.EventID(), Type: e.Type,
		}
		if next := &after.Facets[f]; next.Sets > 0 {
			if next.FirstKey.Effective == e.Key.Effective {
				continue // replaced at the same instant: it never held
			}
			t := nano(next.FirstKey.Effective)
			c.To = &t
		}
		changed = append(changed, c)
	}
	return changed, nil
}

func nano(ns int64) time.Time { return time.Unix(0, ns).UTC() }
