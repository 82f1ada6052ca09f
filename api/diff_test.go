package api

import (
	"strings"
	"testing"
	"time"
)

func TestDiff(t *testing.T) {
	r := pastRig(t)
	const c = "/v1/connections/makini/c/diff"
	if d := get200[Difference](r, c+"?from="+clock(95*time.Minute)+"&to="+clock(100*time.Minute)); d.Different || len(d.Changed) != 0 || d.Events != 0 || d.Was == nil {
		t.Errorf("nothing happened between: %+v", d)
	}
	// to is now, and the value is the same as three hours before: but it has not held since.
	d := get200[Difference](r, c+"?from="+clock(time.Hour))
	if !d.To.Equal(day.Add(10*time.Hour)) || !d.Different || d.Events != 2 || len(d.Changed) != 1 || d.Changed[0].Facet != "connectivity" ||
		d.Changed[0].Was.Value != "online" || d.Changed[0].Is.Value != "online" || d.Changed[0].Was.Event == d.Changed[0].Is.Event {
		t.Errorf("off and on again: %+v", d)
	}
	// What was known of 08:55 half an hour later, and an hour later.
	d = get200[Difference](r, c+"?axis=known&from="+clock(3*time.Second)+"&valid_at="+clock(-5*time.Minute))
	if d.Events != 1 || len(d.Changed) != 1 || d.Changed[0].Was.Value != "running" || d.Changed[0].Is.Value != "failed" {
		t.Errorf("what was learned of the past: %+v", d)
	}
	// The same instant twice, by what was known: the other clock is held.
	d = get200[Difference](r, c+"?from="+clock(-5*time.Minute)+"&to="+clock(time.Hour)+"&known_at="+clock(30*time.Minute))
	if d.Events != 1 || d.Is.Sync.Value != "succeeded" || d.Was.Sync.Value != "running" || d.Is.AsOf.KnownAt == nil {
		t.Errorf("by what was known half an hour later: %+v", d)
	}
	for query, words := range map[string]string{
		"":                                 `"from": is missing`,
		"?to=" + clock(0):                  `"from": is missing`,
		"?from=" + clock(11*time.Hour):     `"to": is before from`,
		"?from=" + clock(0) + "&axis=both": "must be one of valid, known",
		"?from=" + clock(0) + "&valid_at=" + clock(0):            "goes with axis=known",
		"?axis=known&from=" + clock(0) + "&known_at=" + clock(0): "goes with axis=valid",
	} {
		if p, _ := problemAt(t, r, "GET", c+query, 400, CodeInvalidParameter); !strings.Contains(p.Detail, words) {
			t.Errorf("%s: %q, want %q in it", query, p.Detail, words)
		}
	}
}
