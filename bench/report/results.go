// Package report keeps what was measured and writes it down: raw figures as
// JSON, and tables between the markers of a Markdown page.
//
// Guarantee: a table is a function of the stored figures, so it can be written
// again without measuring again; a target that was missed is printed as missed.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// The sides of the throughput measurement.
const (
	Tidemark      = "tidemark"
	NoStore       = "verifies, stores nothing"
	PostgresStock = "PostgreSQL, stock"
	PostgresTuned = "PostgreSQL, tuned"
	PostgresGroup = "PostgreSQL, tuned, grouped"
)

// Measured is what every measurement carries: when, where and on what.
type Measured struct {
	At      time.Time `json:"at"`
	Machine Machine   `json:"machine"`
}

// Throughput is measurement 1 and 2: acknowledged webhooks a second and the
// latency of one, side by side, with the disk's own fdatasync beside them.
type Throughput struct {
	Measured
	Seconds float64 `json:"seconds"`
	Body    int     `json:"body_bytes"`
	// DefaultPool is how many connections pgx's pool has there if nobody says how many.
	DefaultPool int             `json:"default_pool"`
	Runs        []ThroughputRun `json:"runs"`
	// Fdatasync is one append of 1 kB with its fdatasync, measured before each side of each run.
	Fdatasync []stats.Latency `json:"fdatasync"`
}

// ThroughputRun is one load on one side.
type ThroughputRun struct {
	Side    string `json:"side"`
	Senders int    `json:"senders"`
	// Pool is the size of the connection pool, for the sides that have one.
	Pool   int         `json:"pool,omitempty"`
	Run    int         `json:"run"`
	Result load.Result `json:"result"`
	// ServerCPU is the processor time of the whole side (handler and database)
	// for one acknowledged webhook, projecting included.
	ServerCPU time.Duration `json:"server_cpu_ns"`
	// Behind is how many groups the projection had still to apply when the load
	// ended, CatchUp how long it took to.
	Behind  int           `json:"behind,omitempty"`
	CatchUp time.Duration `json:"catch_up_ns,omitempty"`
}

// Visible is measurement 3: from the 200 to the answer that shows it.
type Visible struct {
	Measured
	PerSecond int               `json:"per_second"`
	Runs      []load.Visibility `json:"runs"`
}

// Large is measurements 4 to 6, on one server that holds many connections.
type Large struct {
	Measured
	Connections int           `json:"connections"`
	Events      int           `json:"events"`
	Fill        load.Result   `json:"fill"`
	CatchUp     time.Duration `json:"catch_up_ns"`
	Bytes       int64         `json:"bytes_on_disk"`
	// Idle and Loaded are GET of one state as the client sees it; the second
	// while 1,000 webhooks a second arrive.
	Idle   []stats.Latency `json:"get_idle"`
	Loaded []stats.Latency `json:"get_loaded"`
	// IdleServer is the upper bound of the bucket of the server's own histogram
	// that holds the p99 of Idle, in seconds; empty if it has none.
	IdleServer []float64 `json:"get_idle_server_p99_s,omitempty"`
	// Memory is the most that was resident while 64 senders were at work.
	Memory     []launch.Memory `json:"memory_under_load"`
	MemoryIdle launch.Memory   `json:"memory_idle"`
	// Start is from the start of the process to its line that it listens; Crashed
	// the same after a kill -9.
	Start   []time.Duration `json:"start_ns"`
	Crashed []time.Duration `json:"start_after_kill_ns"`
}

// Late is measurement 7: applying one late event to a long history and to a short one.
type Late struct {
	Measured
	Runs []LateRun `json:"runs"`
}

// LateRun is one history.
type LateRun struct {
	History int           `json:"history"`
	Pause   time.Duration `json:"pause_ns"` // before each event; 0: one right after the other
	Late    stats.Latency `json:"late"`
	InOrder stats.Latency `json:"in_order"`
}

// Ceilings are what the parts under Tidemark can do alone.
type Ceilings struct {
	Measured
	Runs []Ceiling `json:"runs"`
}

// The bare parts.
const (
	BareJetStream = "jetstream"
	BarePebble    = "pebble"
)

// Ceiling is one load on one bare part.
type Ceiling struct {
	Part      string        `json:"part"`
	Writers   int           `json:"writers"`
	PerSecond float64       `json:"per_second"`
	Latency   stats.Latency `json:"latency"`
}

// Save writes a measurement to dir under its name.
func Save(dir, name string, measurement any) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(measurement, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644)
}

// Read reads a measurement into the value at measurement. It reports false
// where none was saved under the name.
func Read(dir, name string, measurement any) (bool, error) {
	text, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, measurement); err != nil {
		return false, fmt.Errorf("%s.json: %w", name, err)
	}
	return true, nil
}
