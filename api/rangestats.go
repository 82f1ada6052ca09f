package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

// RangeStats is what a timeline says of a stretch of time.
type RangeStats = projections.RangeStats

// History is statistics of one connection, bucket by bucket.
type History struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to" doc:"Never later than now, or than known_at: time to come is not counted"`
	Bucket string    `json:"bucket" enum:"none,hour,day,week"`
	// Total covers the whole range, Items its buckets.
	Total RangeStats   `json:"total" doc:"The whole range"`
	Items []RangeStats `json:"items" nullable:"false" doc:"The buckets in order; the first and the last may be cut"`
	AsOf  *AsOf        `json:"as_of,omitempty" doc:"Of a question about an earlier instant"`
}

// maxBuckets bounds the buckets of one answer.
const maxBuckets = 1000

// bucketSizes are the lengths of buckets. Their bounds are whole multiples since
// the zero time, a Monday: hours and days of UTC, and weeks that begin on Monday.
var bucketSizes = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}

type historyInput struct {
	ConnectionPath
	From    string `query:"from" format:"date-time" doc:"The beginning; without it, the connection's first event"`
	To      string `query:"to" format:"date-time" doc:"The end, which is not counted itself; without it, now"`
	Bucket  string `query:"bucket" enum:"none,hour,day,week" default:"none" doc:"Cut the range at each hour, day or week of UTC; weeks begin on Monday"`
	KnownAt string `query:"known_at" format:"date-time" doc:"What was known then: events that were received later are left out"`
}

func (h *Handler) addHistory() {
	get(h, huma.Operation{
		OperationID: "get-connection-stats", Path: "/v1/connections/{source}/{connection}/stats", Tags: []string{"connections"},
		Summary: "How long a connection was in which state, and how its syncs went",
		Description: fmt.Sprintf("Exact whatever came late. At most %d buckets. Before its first event a connection counts as unknown.",
			maxBuckets),
	}, h.history)
}

func (h *Handler) history(_ context.Context, in *historyInput) (*body[History], error) {
	w := projections.When{KnownAt: timeOf(in.KnownAt)}
	end := h.o.Now().UTC()
	if in.KnownAt != "" && w.KnownAt.Before(end) {
		end = w.KnownAt
	}
	out := &body[History]{History{From: timeOf(in.From), To: end, Bucket: in.Bucket}}
	s := &out.Body
	if to := timeOf(in.To); in.To != "" && to.Before(end) {
		s.To = to
	}
	err := h.view(func(v *projections.View) error {
		state, err := v.ConnectionAt(in.Source, in.Connection, w)
		if err != nil {
			return h.missing(v, in.Source, in.Connection, w, err)
		}
		if in.From == "" {
			s.From = *state.FirstEventAt // a state has at least one event
			if s.To.Before(s.From) {
				s.From = s.To
			}
		}
		bounds, err := bucketBounds(s.From, s.To, in.Bucket)
		if err != nil {
			return err
		}
		buckets, err1 := v.RangeStats(in.Source, in.Connection, w, bounds)
		total, err2 := v.RangeStats(in.Source, in.Connection, w, []time.Time{s.From, s.To})
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		s.AsOf, s.Total, s.Items = v.AsOf(w), total[0], append([]RangeStats{}, buckets...)
		return nil
	})
	return out, err
}

// bucketBounds returns the bounds of the buckets between two times: none for an
// empty range.
func bucketBounds(from, to time.Time, bucket string) ([]time.Time, error) {
	if to.Before(from) {
		return nil, invalidParameters(ParameterError{"from", fmt.Sprintf("must be before the end, which is %s", wordTime(to))})
	}
	if from.Equal(to) {
		return []time.Time{}, nil
	}
	bounds := []time.Time{from}
	if size, ok := bucketSizes[bucket]; ok {
		first := from.Truncate(size)
		if to.Sub(first) > maxBuckets*size {
			return nil, invalidParameters(ParameterError{"bucket", fmt.Sprintf(
				"makes more than %d buckets of %s to %s. Take a larger one, or a shorter range", maxBuckets, wordTime(from), wordTime(to))})
		}
		for at := first.Add(size); at.Before(to); at = at.Add(size) {
			bounds = append(bounds, at)
		}
	}
	return append(bounds, to), nil
}
