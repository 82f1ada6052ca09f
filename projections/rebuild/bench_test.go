package rebuild_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// prebuilt is a log of encoded groups, as cheap to read as a log can be.
type prebuilt struct {
	messages [][]byte
	events   int
}

func (l *prebuilt) Head(context.Context) (eventstore.Position, error) {
	return eventstore.Position(len(l.messages)), nil
}

func (l *prebuilt) At(_ context.Context, p eventstore.Position) (eventstore.Group, error) {
	g := eventstore.Group{Position: p}
	var d eventstore.Decoder
	if p == 0 || int(p) > len(l.messages) {
		return g, eventstore.ErrNotFound
	}
	return g, d.Decode(l.messages[p-1], &g)
}

func (l *prebuilt) Follow(_ context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	return &prebuiltCursor{log: l, group: eventstore.Group{Position: after}}, nil
}

type prebuiltCursor struct {
	log     *prebuilt
	decoder eventstore.Decoder
	group   eventstore.Group
}

func (c *prebuiltCursor) Next(context.Context) (eventstore.Group, error) {
	p := c.group.Position + 1
	if int(p) > len(c.log.messages) {
		return eventstore.Group{}, eventstore.ErrIdle
	}
	err := c.decoder.Decode(c.log.messages[p-1], &c.group)
	c.group.Position = p
	return c.group, err
}

func (c *prebuiltCursor) Buffered() int { return len(c.log.messages) - int(c.group.Position) }
func (c *prebuiltCursor) Close() error  { return nil }

// generate makes a log of n makini events of about 600 bytes for connections with Zipf weights,
// 5 % of them late by up to a week and 1 % delivered twice, in groups of that size.
func generate(n, connections, group int) *prebuilt {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 10, uint64(connections-1))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &prebuilt{events: n}
	var events []eventstore.Event
	var last []byte
	filler := make([]byte, 300)
	for i := range filler {
		filler[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]
	}
	for i := range n {
		at = at.Add(time.Duration(rng.IntN(2_000_000)))
		e := eventstore.Event{Source: "makini-prod", Verified: "hmac", ReceivedAt: at, Headers: []eventstore.Header{
			{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "makini-webhooks/1.4"}}}
		_ = e.ID.SetTime(ulid.Timestamp(at))
		binary.BigEndian.PutUint64(e.ID[8:], rng.Uint64())
		if e.Body = last; last == nil || rng.IntN(100) > 0 {
			occurred := at.Add(-time.Duration(rng.IntN(int(time.Second))))
			if rng.IntN(100) < 5 {
				occurred = at.Add(-time.Duration(rng.Int64N(int64(7 * 24 * time.Hour))))
			}
			e.Body = body(rng, i, zipf.Uint64(), occurred, filler)
		}
		last = e.Body
		if events = append(events, e); len(events) == group || i == n-1 {
			msg, err := eventstore.AppendGroup(nil, events[0].ID, events)
			if err != nil {
				panic(err)
			}
			l.messages = append(l.messages, msg)
			events = events[:0]
		}
	}
	return l
}

func body(rng *rand.Rand, i int, connection uint64, at time.Time, filler []byte) []byte {
	kind, data := "sync.completed", `{"status":"success","records":`+strconv.Itoa(rng.IntN(5000))+`}`
	switch k := rng.IntN(100); {
	case k < 8:
		kind, data = "sync.failed", `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"too many requests, slow down","request_id":"req_`+strconv.Itoa(i)+`"}}`
	case k < 10:
		kind, data = "connection.auth_required", `{"reason":"credentials expired"}`
	case k < 14:
		kind, data = "connection.status_changed", `{"status":"offline","reason":"unreachable"}`
	case k < 20:
		kind, data = "connection.status_changed", `{"status":"online"}`
	case k < 45:
		kind, data = "sync.started", `{}`
	}
	return fmt.Appendf(nil, `{"id":"evt_%016x","event_type":"%s","timestamp":"%s","connection_id":"conn_%06d","data":%s,`+
		`"organization":{"id":"org_%d","name":"Example Maintenance Ltd."},"integration":{"slug":"upkeep","version":"2024-11"},"trace":"%s"}`,
		rng.Uint64(), kind, at.Format(time.RFC3339Nano), connection, data, rng.IntN(500), filler[:260+rng.IntN(40)])
}

// size is the number of events of the benchmarks: a million with TIDEMARK_LONG=1.
func size() int {
	if os.Getenv("TIDEMARK_LONG") == "1" {
		return 1_000_000
	}
	return 200_000
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBuild reports events a second, and the CPU time of an event, which other work on the machine does not change.
func BenchmarkBuild(b *testing.B) {
	makini, err := providers.Load("makini")
	if err != nil {
		b.Fatal(err)
	}
	for _, group := range []int{1, 64} {
		for _, connections := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("group=%d/connections=%d", group, connections), func(b *testing.B) {
				log := generate(size(), connections, group)
				build(b, log, makini)
			})
		}
	}
}

func build(b *testing.B, log *prebuilt, makini *providers.Definition) {
	took := map[rebuild.Phase]time.Duration{}
	before := cpu()
	for b.Loop() {
		r, err := rebuild.Build(b.Context(), rebuild.Options{
			Dir: b.TempDir() + "/gen-1", Log: log, Now: time.Now,
			Definitions: map[string]*providers.Definition{"makini-prod": makini},
		})
		if err != nil {
			b.Fatal(err)
		}
		if int(r.Events) != log.events || r.Quarantined != 0 || r.Duplicates == 0 {
			b.Fatalf("built %+v", r)
		}
		for p, d := range r.Took {
			took[p] += d
		}
	}
	report(b, log.events, cpu()-before, took)
}

func report(b *testing.B, events int, used time.Duration, took map[rebuild.Phase]time.Duration) {
	n := float64(events) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(used.Nanoseconds())/n, "cpu-ns/event")
	for p, d := range took {
		b.ReportMetric(float64(d.Nanoseconds())/n, string(p)+"-ns/event")
	}
	b.ReportMetric(0, "ns/op")
}

func BenchmarkRefold(b *testing.B) {
	makini, err := providers.Load("makini")
	if err != nil {
		b.Fatal(err)
	}
	for _, connections := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			log, dir := generate(size(), connections, 64), b.TempDir()
			definitions := map[string]*providers.Definition{"makini-prod": makini}
			if _, err := rebuild.Build(b.Context(), rebuild.Options{Dir: dir + "/gen-1", Log: log, Definitions: definitions}); err != nil {
				b.Fatal(err)
			}
			from, err := kv.Open(dir+"/gen-1", kv.Options{})
			if err != nil {
				b.Fatal(err)
			}
			took, before, n := map[rebuild.Phase]time.Duration{}, cpu(), 1
			for b.Loop() {
				n++
				r, err := rebuild.Refold(b.Context(), from, rebuild.Options{Dir: fmt.Sprintf("%s/gen-%d", dir, n), Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				for p, d := range r.Took {
					took[p] += d
				}
			}
			report(b, log.events, cpu()-before, took)
			if err := from.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkDigest is what a verification adds to a rebuild, for each of the two sides.
func BenchmarkDigest(b *testing.B) {
	makini, err := providers.Load("makini")
	if err != nil {
		b.Fatal(err)
	}
	log, dir := generate(size(), 10_000, 64), b.TempDir()+"/gen-1"
	definitions := map[string]*providers.Definition{"makini-prod": makini}
	if _, err := rebuild.Build(b.Context(), rebuild.Options{Dir: dir, Log: log, Definitions: definitions}); err != nil {
		b.Fatal(err)
	}
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	v, err := projections.NewView(db)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	before := cpu()
	for b.Loop() {
		if _, err := rebuild.Digest(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	report(b, log.events, cpu()-before, nil)
}
