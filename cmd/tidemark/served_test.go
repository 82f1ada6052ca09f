package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// A rebuild rests while somebody is served and for a moment afterwards, for as long as it worked, and not before
// the first request, nor once nobody asks any more.
func TestServedRest(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	var slept []int
	at := 0
	s := newServed(func() time.Time { return clock })
	s.sleep = func(d time.Duration) {
		if slept = append(slept, at); d != rebuild.Stint {
			t.Errorf("it rests for %v", d)
		}
	}
	rest := func(i int) { at = i; s.rest() }
	answered := 0
	handler := s.note(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		answered++
		rest(1) // of a rebuild, while this is served
	}))
	ask := func() { handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/connections", nil)) }

	rest(2)
	ask()
	clock = clock.Add(lull - 1)
	rest(3)
	clock = clock.Add(1)
	rest(4)
	ask()
	clock = clock.Add(lull - 1)
	ask()
	clock = clock.Add(lull - 1)
	rest(5)
	clock = clock.Add(time.Hour)
	rest(6)
	if want := []int{1, 3, 1, 1, 5}; !slices.Equal(slept, want) || answered != 3 {
		t.Errorf("a rebuild rested %v and %d requests were answered, want %v and 3", slept, answered, want)
	}
}
