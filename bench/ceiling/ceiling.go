// Package ceiling measures what the parts under Tidemark can do alone, as
// durably as Tidemark uses them: a JetStream stream with one message an event,
// and Pebble with one synced Set an event. Nothing receives, verifies or
// projects anything.
package ceiling

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Result is what one part did.
type Result struct {
	PerSecond float64       `json:"per_second"`
	Latency   stats.Latency `json:"latency"`
}

// Spec says what to measure: Part is "jetstream" or "pebble".
type Spec struct {
	Part    string
	Dir     string
	Writers int
	Body    int
	For     time.Duration
}

// Run measures one part.
func (s Spec) Run() (Result, error) {
	switch s.Part {
	case "jetstream":
		return s.jetStream()
	case "pebble":
		return s.pebble()
	}
	return Result{}, fmt.Errorf("no part %q", s.Part)
}

// jetStream publishes messages one by one to an embedded stream that syncs each.
func (s Spec) jetStream() (Result, error) {
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: s.Dir, SyncAlways: true})
	if err != nil {
		return Result{}, fmt.Errorf("embedded server: %w", err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(10 * time.Second) {
		return Result{}, errors.New("embedded server does not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return Result{}, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		return Result{}, err
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "EVENTS", Subjects: []string{"events"}, Storage: nats.FileStorage}); err != nil {
		return Result{}, fmt.Errorf("making the stream: %w", err)
	}
	body := make([]byte, s.Body)
	return s.write(func(uint64) error {
		_, err := js.Publish("events", body)
		return err
	})
}

// pebble sets keys one by one, each synced; Pebble groups those that wait.
func (s Spec) pebble() (Result, error) {
	db, err := pebble.Open(s.Dir, &pebble.Options{Logger: quiet{}})
	if err != nil {
		return Result{}, fmt.Errorf("opening Pebble: %w", err)
	}
	defer db.Close()
	body := make([]byte, s.Body)
	return s.write(func(n uint64) error {
		return db.Set(binary.BigEndian.AppendUint64(nil, n), body, pebble.Sync)
	})
}

// write lets the writers call one, each waiting for its own, until the time is over.
func (s Spec) write(one func(n uint64) error) (Result, error) {
	var (
		next    atomic.Uint64
		wait    sync.WaitGroup
		samples = make([][]time.Duration, s.Writers)
		failed  = make([]error, s.Writers)
		start   = time.Now()
	)
	for w := range s.Writers {
		wait.Go(func() {
			for time.Since(start) < s.For && failed[w] == nil {
				before := time.Now()
				failed[w] = one(next.Add(1))
				samples[w] = append(samples[w], time.Since(before))
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	var all []time.Duration
	for _, mine := range samples {
		all = append(all, mine...)
	}
	return Result{PerSecond: float64(len(all)) / took.Seconds(), Latency: stats.Summarise(all)}, errors.Join(failed...)
}

// quiet keeps Pebble from telling about its own housekeeping.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, arguments ...any) {
	panic(fmt.Sprintf(format, arguments...))
}
