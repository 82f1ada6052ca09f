package api

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHistoryBounds(t *testing.T) {
	r := pastRig(t) // its now is day + 10h
	const c = "/v1/connections/makini/c/stats"
	s := get200[History](r, c)
	if !s.From.Equal(day.Add(-time.Hour)) || !s.To.Equal(day.Add(10*time.Hour)) || len(s.Items) != 1 || s.Bucket != "none" || s.AsOf != nil {
		t.Errorf("without any parameter: %+v", s)
	}
	if s := get200[History](r, c+"?to="+clock(1000*time.Hour)); !s.To.Equal(day.Add(10 * time.Hour)) {
		t.Errorf("time to come is counted: up to %s", s.To)
	}
	// At known_at nothing later was known, so nothing later is counted.
	if s := get200[History](r, c+"?known_at="+clock(30*time.Minute)); !s.To.Equal(day.Add(30*time.Minute)) || s.AsOf == nil ||
		s.Total.Facets["sync"].Seconds["running"] != 3600 || s.Total.Facets["sync"].Seconds["failed"] != 0 {
		t.Errorf("as of half an hour later: %+v", s)
	}
	if s := get200[History](r, c+"?from="+clock(0)+"&to="+clock(0)); s.Items == nil || len(s.Items) != 0 || s.Total.Events != 0 {
		t.Errorf("an empty range: %+v", s)
	}
	for query, words := range map[string]string{
		"?from=" + clock(2*time.Hour) + "&to=" + clock(time.Hour):           "must be before the end",
		"?from=" + clock(11*time.Hour):                                      "must be before the end, which is 2026-05-04T19:00:00Z",
		"?bucket=hour&from=" + clock(-1001*time.Hour):                       "more than 1000 buckets",
		"?bucket=day&from=0001-01-01T00:00:00Z":                             "more than 1000 buckets",
		"?bucket=month":                                                     "must be one of none, hour, day, week",
		"?from=now":                                                         "must be a time such as",
		"?bucket=hour&from=" + clock(-999*time.Hour-30*time.Minute) + "&x=": "not known here",
	} {
		code := CodeInvalidParameter
		if strings.HasSuffix(query, "x=") {
			code = CodeUnknownParameter
		}
		if p, _ := problemAt(t, r, "GET", c+query, 400, code); !strings.Contains(p.Detail, words) {
			t.Errorf("%s: %q, want %q in it", query, p.Detail, words)
		}
	}
}

func TestBucketBounds(t *testing.T) {
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.UTC()
	}
	for _, c := range []struct{ from, to, bucket, want string }{
		{"2026-03-01T22:30:00Z", "2026-03-02T01:00:00Z", "hour", "2026-03-01T22:30:00Z 2026-03-01T23:00:00Z 2026-03-02T00:00:00Z 2026-03-02T01:00:00Z"},
		{"2026-02-27T00:00:00Z", "2026-03-01T12:00:00Z", "day", "2026-02-27T00:00:00Z 2026-02-28T00:00:00Z 2026-03-01T00:00:00Z 2026-03-01T12:00:00Z"},
		{"2026-05-01T00:00:00+02:00", "2026-05-02T00:00:00+02:00", "day", "2026-04-30T22:00:00Z 2026-05-01T00:00:00Z 2026-05-01T22:00:00Z"},
		{"2026-05-06T09:00:00Z", "2026-05-19T00:00:00Z", "week", "2026-05-06T09:00:00Z 2026-05-11T00:00:00Z 2026-05-18T00:00:00Z 2026-05-19T00:00:00Z"},
		{"1969-12-30T00:00:00Z", "1970-01-06T00:00:00Z", "week", "1969-12-30T00:00:00Z 1970-01-05T00:00:00Z 1970-01-06T00:00:00Z"},
		{"2026-03-01T22:30:00Z", "2027-03-02T01:00:00Z", "none", "2026-03-01T22:30:00Z 2027-03-02T01:00:00Z"},
	} {
		bounds, err := bucketBounds(at(c.from), at(c.to), c.bucket)
		var got []string
		for _, b := range bounds {
			got = append(got, b.Format(time.RFC3339))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s to %s by %s: %v %v, want %s", c.from, c.to, c.bucket, got, err, c.want)
		}
		if slices.Contains(got, "") || bounds[0].Weekday() != time.Monday && c.bucket == "week" && bounds[1].Weekday() != time.Monday {
			t.Errorf("a week begins on %s", bounds[1].Weekday())
		}
	}
	if _, err := bucketBounds(day, day.Add(maxBuckets*time.Hour), "hour"); err != nil {
		t.Errorf("exactly as many as may be: %v", err)
	}
	if _, err := bucketBounds(day, day.Add(maxBuckets*time.Hour+1), "hour"); err == nil {
		t.Error("one more than may be")
	}
}

// The buckets of a range add up to the whole, whatever came late.
func TestBucketsAddUp(t *testing.T) {
	r := pastRig(t)
	s := get200[History](r, "/v1/connections/makini/c/stats?bucket=hour")
	if len(s.Items) != 11 {
		t.Fatalf("%d buckets", len(s.Items))
	}
	var events, succeeded, failed uint64
	seconds := map[string]float64{}
	for _, b := range s.Items {
		events, succeeded, failed = events+b.Events, succeeded+b.Sync.Succeeded, failed+b.Sync.Failed
		for facet, f := range b.Facets {
			for value, n := range f.Seconds {
				seconds[facet+value] += n
			}
		}
	}
	if events != 5 || events != s.Total.Events || succeeded != s.Total.Sync.Succeeded || failed != s.Total.Sync.Failed {
		t.Errorf("%d events, %d and %d syncs; the whole has %+v", events, succeeded, failed, s.Total)
	}
	for facet, f := range s.Total.Facets {
		sum := 0.0
		for value, n := range f.Seconds {
			sum += n
			if seconds[facet+value] != n {
				t.Errorf("%s %s: %v seconds in the buckets, %v in the whole", facet, value, seconds[facet+value], n)
			}
		}
		if sum != 11*3600 {
			t.Errorf("%s: %v seconds of 11 hours", facet, sum)
		}
	}
}
