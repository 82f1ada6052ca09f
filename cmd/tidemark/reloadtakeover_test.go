package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// held is a log whose readers, while it is held, say that they are to stop and do not.
type held struct {
	*memstore.Store
	mu       sync.Mutex
	stopping chan struct{} // nil while the log is not held
	release  chan struct{}
}

func (h *held) hold() (stopping, release chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping, h.release = make(chan struct{}), make(chan struct{})
	return h.stopping, h.release
}

func (h *held) Follow(ctx context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	c, err := h.Store.Follow(ctx, after)
	return heldCursor{c, h}, err
}

type heldCursor struct {
	eventstore.Cursor
	log *held
}

func (c heldCursor) Next(ctx context.Context) (eventstore.Group, error) {
	g, err := c.Cursor.Next(ctx)
	if ctx.Err() == nil {
		return g, err
	}
	c.log.mu.Lock()
	stopping, release := c.log.stopping, c.log.release
	c.log.stopping = nil
	c.log.mu.Unlock()
	if stopping != nil {
		close(stopping)
		<-release
	}
	return g, err
}

// asked is a context that tells when somebody first waits for its end.
type asked struct {
	context.Context
	waits func()
}

func (c asked) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// kinds is a source whose mapping finds an event's type where it is told to.
func kinds(t *testing.T, typ string) []source {
	t.Helper()
	d, err := providers.Parse("kinds", []byte("name: kinds\nsignature: {scheme: none}\nmapping:\n  type: "+typ+
		"\n  connection: body.c\n  rules:\n    - {name: up, type: up, set: {connectivity: online}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.NewVerifier(nil)
	if err != nil {
		t.Fatal(err)
	}
	return []source{{Source: config.Source{Name: "kinds", MaxBody: config.DefaultMaxBody}, def: d, verifier: v}}
}

// Another generation takes over while a reload waits for its turn: the headers that this one reads are
// kept from then on, and not those of the one that served when the reload began.
func TestAGenerationTakesOverDuringAReload(t *testing.T) {
	log := &held{Store: memstore.New()}
	byHeader, byBody := kinds(t, `headers["x-kind"]`), kinds(t, "body.kind")
	set, err := generations.Open(generations.Options{
		Root: t.TempDir(), Log: log, Definitions: definitions(byHeader), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(path string, err error) { panic(path + ": " + err.Error()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.Options{Log: log, Sources: ingestSources(byHeader, set.Definitions()), Now: time.Now,
		Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	r := &reloader{set: set, ingest: in, level: new(slog.LevelVar), logger: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}()

	// send reports whether the log keeps the header of an event.
	position := eventstore.Position(0)
	send := func() (kept bool) {
		t.Helper()
		req := httptest.NewRequest(http.MethodPost, "/in/kinds", strings.NewReader(`{"c":"a","kind":"up"}`))
		req.Header.Set("X-Kind", "up")
		w := httptest.NewRecorder()
		in.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		position++
		g, err := log.At(t.Context(), position)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range g.Events[0].Headers {
			kept = kept || strings.EqualFold(h.Name, "x-kind")
		}
		return kept
	}
	rebuild := &config.Config{}
	rebuild.Rebuild.OnDefinitionChange = string(generations.Rebuild)
	if !send() {
		t.Fatal("what the mapping reads is not kept")
	}
	awaitPosition(t, set, position)
	if err := r.apply(t.Context(), rebuild, byBody); err != nil {
		t.Fatal(err)
	}
	r.sources = byBody
	awaitJob(t, set, generations.Promoted)
	r.follow()
	if send() {
		t.Fatal("a header is kept that nobody reads any more")
	}
	awaitPosition(t, set, position)

	stopping, release := log.hold()
	done := make(chan error, 2)
	go func() {
		_, _, err := set.Rollback(ctx)
		done <- err
	}()
	<-stopping // it is the rollback's turn
	waits := make(chan struct{})
	go func() {
		done <- r.apply(asked{ctx, sync.OnceFunc(func() { close(waits) })}, rebuild, byBody)
	}()
	<-waits
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if !send() {
		t.Error("what the generation reads that took over is not kept")
	}
}

// awaitPosition waits until a set has applied the log up to a position.
func awaitPosition(t *testing.T, set *generations.Set, p eventstore.Position) {
	t.Helper()
	await(t, "the head is reached", func() bool {
		v, err := set.View()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = v.Close() }()
		return v.Checkpoint().Position == uint64(p)
	})
}

// awaitJob waits until the last rebuild of a set is in a state.
func awaitJob(t *testing.T, set *generations.Set, want generations.State) {
	t.Helper()
	await(t, "the rebuild is "+string(want), func() bool {
		j, err := set.Job("last")
		if err == nil && j.State == generations.Failed {
			t.Fatalf("the rebuild failed: %s", j.Error)
		}
		return err == nil && j.State == want
	})
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("never: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
