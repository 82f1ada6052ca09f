package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// lull is how long after a request a rebuild goes on resting: those who ask every few milliseconds wait the longest for a
// processor that they find in use.
const lull = 20 * time.Millisecond

// served knows when somebody was served last, so that a rebuild rests while somebody is and takes all that it may
// have while nobody is.
type served struct {
	now   func() time.Time
	sleep func(time.Duration)
	start time.Time
	until atomic.Int64 // when that is no longer just now, in nanoseconds since start; 0 before the first request
}

func newServed(now func() time.Time) *served {
	return &served{now: now, sleep: time.Sleep, start: now()}
}

// note takes note of each request, when it comes and when it is answered.
func (s *served) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.touch()
		next.ServeHTTP(w, r)
		s.touch()
	})
}

func (s *served) touch() { s.until.Store(int64(s.now().Sub(s.start) + lull)) }

// rest waits, if somebody was served just now, for as long as a goroutine of a rebuild goes on at a time. Go's timers make a
// millisecond of that, so a rebuild then takes three to four times as long.
func (s *served) rest() {
	if int64(s.now().Sub(s.start)) < s.until.Load() {
		s.sleep(rebuild.Stint)
	}
}
