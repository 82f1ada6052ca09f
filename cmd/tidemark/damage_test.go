package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// TestDamage does to the files of a data directory what disks and people do to
// them. Damage to the log is noticed, named, and left as it is; damage to the projections
// costs a rebuild, which happens by itself or at the next start.
func TestDamage(t *testing.T) {
	rounds := 1
	if long { // 200 places in a block file are tried in eventstore/stream, which takes no process for each
		rounds = 20
	}
	m := newDamageMatrix(t)
	const log, projections = "data/log/jetstream/$G/streams/TIDEMARK_EVENTS/msgs", "data/projections"
	for _, c := range []struct {
		name   string
		from   string // which end the directory had
		files  string // a pattern; one of the files is hit
		damage func(*rand.Rand, string) error
		once   bool
		is     func(*damagedDir, *testing.T)
	}{
		{"a bit of a block, after an end in good order", "ended", log + "/*.blk", flipBit, false, (*damagedDir).logIsDamaged},
		{"a bit of a block, after kill -9", "killed", log + "/*.blk", flipBit, false, (*damagedDir).startIsRefused},
		{"a block is cut, after an end in good order", "ended", log + "/*.blk", cutFile, false, (*damagedDir).logIsDamaged},
		{"a block is cut, after kill -9", "killed", log + "/*.blk", cutFile, false, (*damagedDir).logIsDamaged},
		{"a block is gone", "killed", log + "/*.blk", remove, true, (*damagedDir).logIsDamaged},
		{"the stream is gone", "ended", "data/log/jetstream", remove, true, (*damagedDir).logIsDamaged},
		{"a bit of the stream's description", "killed", "data/log/jetstream/$G/streams/TIDEMARK_EVENTS/meta.*", flipBit, false, (*damagedDir).logIsDamaged},
		{"a bit of the index", "ended", log + "/index.db", flipBit, false, (*damagedDir).nothingIsLost},
		{"the index is cut", "ended", log + "/index.db", cutFile, false, (*damagedDir).nothingIsLost},
		{"the index is gone", "ended", log + "/index.db", remove, true, (*damagedDir).nothingIsLost},
		{"what is remembered of the log is gone", "killed", "data/log/HEAD", remove, true, (*damagedDir).nothingIsLost},
		{"a bit of a table", "killed", projections + "/g*/*.sst", flipBit, false, (*damagedDir).projectionsAreMended},
		{"a table is cut", "killed", projections + "/g*/*.sst", cutFile, false, (*damagedDir).projectionsAreMended},
		{"a table is gone", "killed", projections + "/g*/*.sst", remove, true, (*damagedDir).projectionsAreMended},
		{"a bit of the write-ahead log", "killed", projections + "/g*/*.log", flipBit, false, (*damagedDir).projectionsAreMended},
		{"a bit of the write-ahead log, after an end in good order", "ended", projections + "/g*/*.log", flipBit, false, (*damagedDir).projectionsAreMended},
		{"the write-ahead log is cut", "killed", projections + "/g*/*.log", cutFile, false, (*damagedDir).projectionsAreMended},
		{"the write-ahead log is cut, after an end in good order", "ended", projections + "/g*/*.log", cutFile, false, (*damagedDir).projectionsAreMended},
		{"a bit of the manifest", "killed", projections + "/g*/MANIFEST*", flipBit, false, (*damagedDir).projectionsAreMended},
		{"the manifest is cut", "ended", projections + "/g*/MANIFEST*", cutFile, false, (*damagedDir).projectionsAreMended},
		{"what serves is not said", "ended", projections + "/CURRENT", cutFile, true, (*damagedDir).projectionsAreMended},
		{"the projections are gone", "killed", projections, remove, true, (*damagedDir).projectionsAreMended},
	} {
		n := rounds
		if c.once {
			n = 1
		}
		for round := range n {
			t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(c.name, " ", "_"), round), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(uint64(round), 61))
				c.is(m.damaged(t, rng, c.from, c.files, c.damage), t)
			})
		}
	}
}

func flipBit(rng *rand.Rand, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	return os.WriteFile(file, b, 0o600)
}

func cutFile(rng *rand.Rand, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, rng.Int64N(info.Size()))
}

func remove(_ *rand.Rand, file string) error { return os.RemoveAll(file) }

// damageMatrix holds a directory as a server left it, by each kind of end. What the
// killed one began with stands in tables, for a start reads what is in Pebble's log.
type damageMatrix struct {
	templates map[string]string
	events    int
}

func newDamageMatrix(t *testing.T) *damageMatrix {
	m := &damageMatrix{templates: map[string]string{}, events: 600}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	s := mustStart(t, dir)
	send := func(n int) {
		t.Helper()
		l := newLoad(-1)
		l.sent.Store(int64(m.events))
		l.run(t.Context(), s.url, int64(m.events+n))
		if got := len(l.acknowledged()); got != n {
			t.Fatalf("%d of %d webhooks were acknowledged", got, n)
		}
		m.events += n
		if err := awaitApplied(s.url, patience); err != nil {
			t.Fatal(err)
		}
	}
	m.events = 0
	send(600)
	keep := func(name string) {
		t.Helper()
		m.templates[name] = filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(m.templates[name], os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if code, _ := s.terminate(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr())
	}
	keep("ended")
	s = mustStart(t, dir)
	send(100)
	// What is remembered of the log is written down every second.
	var known struct{ Position uint64 }
	var stats api.Stats
	if err := getJSON(s.url+"/v1/stats", &stats); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); known.Position < stats.Head; time.Sleep(10 * time.Millisecond) {
		if err := json.Unmarshal(read(t, filepath.Join(dir, "data/log/HEAD")), &known); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(limit) {
			t.Fatalf("position %d is remembered, and the log ends at %d", known.Position, stats.Head)
		}
	}
	s.kill()
	keep("killed")
	return m
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// damagedDir is a directory with one file damaged.
type damagedDir struct {
	dir, file string
	blocks    map[string][]byte // the log's files as the damage left them
	events    uint64
}

func (m *damageMatrix) damaged(t *testing.T, rng *rand.Rand, from, pattern string, damage func(*rand.Rand, string) error) *damagedDir {
	t.Helper()
	d := &damagedDir{dir: t.TempDir(), blocks: map[string][]byte{}, events: 600}
	if from == "killed" {
		d.events = 700
	}
	if err := os.CopyFS(d.dir, os.DirFS(m.templates[from])); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(d.dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var full []string
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 {
			full = append(full, f)
		}
	}
	if len(full) == 0 {
		t.Fatalf("there is no file %s to damage", pattern)
	}
	d.file = full[rng.IntN(len(full))]
	if err := damage(rng, d.file); err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Glob(filepath.Join(d.dir, "data/log/jetstream/*/streams/TIDEMARK_EVENTS/msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		d.blocks[b] = read(t, b)
	}
	t.Cleanup(func() { d.untouched(t) })
	return d
}

// untouched sees that nothing of the log's files was changed.
func (d *damagedDir) untouched(t *testing.T) {
	t.Helper()
	for path, was := range d.blocks {
		if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, was) {
			t.Errorf("%s was changed: %d bytes, before %d (%v)", path, len(is), len(was), err)
		}
	}
}

// start starts a server on the directory; nil where it ends with that exit code, having said why.
func (d *damagedDir) start(t *testing.T) (*server, int) {
	t.Helper()
	s, err := startServer(programPath(t), d.dir, os.Environ(), "--listen", "127.0.0.1:0")
	if err != nil {
		if s == nil || !strings.Contains(s.stderr(), "tidemark: ") {
			t.Fatalf("a start fails without a word: %v", err)
		}
		return s, s.cmd.ProcessState.ExitCode()
	}
	t.Cleanup(func() { s.kill(); d.untouched(t) })
	return s, -1
}

// startIsRefused: the damage is named, with what to do.
func (d *damagedDir) startIsRefused(t *testing.T) {
	s, code := d.start(t)
	if code != exitIntegrity {
		t.Fatalf("exit code %d, want %d: %s", code, exitIntegrity, s.stderr())
	}
	for _, words := range []string{filepath.Base(d.file) + " is damaged at byte ", "nothing was changed", "restore it", "--open-damaged-log"} {
		if !strings.Contains(s.stderr(), words) {
			t.Errorf("it does not say %q: %s", words, s.stderr())
		}
	}
}

// logIsDamaged: the start is refused, or /readyz or a verification say what is wrong.
func (d *damagedDir) logIsDamaged(t *testing.T) {
	s, code := d.start(t)
	if code >= 0 {
		if said := s.stderr(); code != exitIntegrity || !strings.Contains(said, "integrity failure") || !strings.Contains(said, "restore") {
			t.Errorf("exit code %d: %s", code, said)
		}
		return
	}
	resp, err := testClient.Get(s.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == 503 {
		if said := s.stderr(); !strings.Contains(said, "webhooks are refused") || !strings.Contains(said, "position") {
			t.Errorf("it does not say what is wrong: %s", said)
		}
		if id, err := postWebhook(s.url, []byte(`{"id":"on top","event_type":"sync.started","connection_id":"conn/1"}`)); err == nil {
			t.Errorf("event %s is stored on top of a damaged log", id)
		}
		return
	}
	j := runVerification(t, s)
	if j == nil || j.State != generations.Failed || !j.Integrity || !strings.Contains(j.Error, "position") {
		t.Errorf("the damage is not noticed: %+v", j)
	}
}

// nothingIsLost: the server makes what is damaged anew, and all events are there.
func (d *damagedDir) nothingIsLost(t *testing.T) {
	s, code := d.start(t)
	if code >= 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr())
	}
	d.whole(t, s)
}

// projectionsAreMended: at once, or after one more start.
func (d *damagedDir) projectionsAreMended(t *testing.T) {
	for attempt := range 3 {
		s, code := d.start(t)
		if code < 0 {
			if j := runVerification(t, s); j != nil {
				if j.Verified != nil && j.Verified.Equal {
					d.whole(t, s)
					return
				}
				if !j.Integrity {
					t.Fatalf("the damage is not noticed: %+v", j)
				}
				if end := lastRebuild(t, s); end != nil && end.State != generations.Failed {
					if end.State != generations.Promoted {
						t.Fatalf("the rebuild is %+v", end)
					}
					d.whole(t, s)
					return
				}
			}
			<-s.ended
			code = s.cmd.ProcessState.ExitCode()
		}
		if said := s.stderr(); code != exitIntegrity || !strings.Contains(said, "nothing that was acknowledged is lost; start again, and the projections are made anew from the log") {
			t.Fatalf("attempt %d: exit code %d: %s", attempt, code, said)
		}
	}
	t.Fatal("after three starts it is not mended")
}

// whole sees that every event is there and that the state is what the log says.
func (d *damagedDir) whole(t *testing.T, s *server) {
	t.Helper()
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	events := uint64(0)
	var page api.Page[api.State]
	if err := getJSON(s.url+"/v1/connections?limit=500", &page); err != nil {
		t.Fatal(err)
	}
	for _, c := range page.Items {
		events += c.Counts.Events
	}
	if events != d.events || len(page.Items) != loadConnections {
		t.Errorf("%d events of %d connections, want %d of %d", events, len(page.Items), d.events, loadConnections)
	}
	if j := runVerification(t, s); j == nil || j.Verified == nil || !j.Verified.Equal {
		t.Errorf("the state is not what the log says: %+v", j)
	}
}

// runVerification runs a verification to its end; nil where the server ends on the way.
func runVerification(t *testing.T, s *server) *api.Rebuild {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := untilApplied(ctx, s.url); err != nil {
		select {
		case <-s.ended:
			return nil
		default:
			t.Fatal(err)
		}
	}
	resp, err := testClient.Post(s.url+"/v1/rebuilds", "application/json", strings.NewReader(`{"verify":true}`))
	if err == nil {
		_ = resp.Body.Close()
	}
	return lastRebuild(t, s)
}

// lastRebuild waits until the last rebuild has ended; nil where the server ends on the way.
func lastRebuild(t *testing.T, s *server) *api.Rebuild {
	t.Helper()
	limit := time.After(patience)
	for {
		var j api.Rebuild
		if err := getJSON(s.url+"/v1/rebuilds/last", &j); err == nil && j.State.Ended() {
			return &j
		}
		select {
		case <-s.ended:
			return nil
		case <-limit:
			t.Fatalf("the rebuild is %+v after %s", j, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
