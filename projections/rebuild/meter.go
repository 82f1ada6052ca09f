package rebuild

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tellEvery is after how many events Progress is told again: some ten times a second.
const tellEvery = 50_000

// meter tells how far a rebuild has come.
type meter struct {
	options *Options
	stalled atomic.Bool

	mu     sync.Mutex
	is     Progress
	began  time.Time // of this phase
	before uint64    // events of this phase when it was begun or gone on with
	told   uint64
	took   map[Phase]time.Duration
}

func newMeter(o *Options) *meter { return &meter{options: o, took: map[Phase]time.Duration{}} }

// begin begins a phase, in which done of total and so many events lie behind it.
func (m *meter) begin(phase Phase, position, to, done, total, events uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
	m.is = Progress{Phase: phase, Position: position, To: to, Done: done, Total: total, Events: events}
	m.began, m.before, m.told = m.options.Now(), events, events
	m.tell()
}

// end ends the phase at hand; under mu.
func (m *meter) end() {
	if m.is.Phase != "" {
		m.took[m.is.Phase] += m.options.Now().Sub(m.began)
	}
}

// scanned says how far the scan has come.
func (m *meter) scanned(position, events uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.is.Position, m.is.Done, m.is.Events = position, position, events
	m.tellNowAndThen()
}

// folded says that n more entries are folded.
func (m *meter) folded(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.is.Done += n
	m.is.Events += n
	m.tellNowAndThen()
}

// counted says that n more positions are counted.
func (m *meter) counted(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.is.Done += n
	m.is.Events += n
	m.tellNowAndThen()
}

func (m *meter) tellNowAndThen() {
	if m.is.Events-m.told >= tellEvery || m.is.Done == m.is.Total {
		m.told = m.is.Events
		m.tell()
	}
}

// tell tells; under mu.
func (m *meter) tell() {
	if s := m.options.Now().Sub(m.began).Seconds(); s > 0 {
		m.is.Rate = float64(m.is.Events-m.before) / s
	}
	m.options.Progress(m.is)
}

// wait waits a moment for a log that is out of reach.
func (m *meter) wait(ctx context.Context, why error) error {
	if !m.stalled.Swap(true) {
		m.say(why.Error())
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// moves says that the log answers again.
func (m *meter) moves() {
	if m.stalled.Load() && m.stalled.Swap(false) {
		m.say("")
	}
}

func (m *meter) say(waiting string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.is.Waiting = waiting
	m.tell()
}

// finish ends the last phase and returns how long each took.
func (m *meter) finish() map[Phase]time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
	m.is.Phase = ""
	return m.took
}
