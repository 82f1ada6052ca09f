package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// A configuration that damaged projections cannot take up is not called wrong, and comes into force by
// itself once they are made anew.
func TestAReloadMeetsDamage(t *testing.T) {
	r := startReloadable(t, true, map[string]string{"tidemark.yaml": configWith(testSecret, "")})
	if got := r.post("makini", makiniHeader, testSecret, `{"what":"nobody understands it"}`); got != 200 {
		t.Fatalf("answered %d", got)
	}
	if err := awaitApplied(r.url, time.Minute); err != nil {
		t.Fatal(err)
	}
	serving := r.rebuilds().Serving
	if code, _ := r.terminate(); code != 0 {
		t.Fatalf("it ends with %d: %s", code, r.stderr())
	}
	spoilQuarantine(t, filepath.Join(r.dir, "data", "projections", serving))
	r.server = mustStart(t, r.dir, "--look-every", "10ms", "--log-format", "json")
	before := len(r.stderr())
	r.write("tidemark.yaml", configWith(testSecret, "  second: {provider: makini, secrets: [s]}\n"))
	line := r.said(before, "cannot be put in force yet", "damaged", "rebuild status")
	if strings.Contains(r.stderr(), "it is wrong") {
		t.Errorf("what is in order is called wrong: %s", r.stderr())
	}
	r.said(before, "is in force", `"added":["second"]`)
	if n := strings.Count(r.stderr(), "cannot be put in force yet"); n != 1 {
		t.Errorf("it is said %d times: %s", n, line)
	}
	if got := r.post("second", makiniHeader, "s", `{"event_type":"connection.created","connection_id":"conn_1"}`); got != 200 {
		t.Errorf("the new source is answered %d", got)
	}
	if got := r.ready(); got != "ok" {
		t.Errorf("/readyz says %q", got)
	}
}

// spoilQuarantine overwrites the quarantine of a closed directory with rows that are none.
func spoilQuarantine(t *testing.T, dir string) {
	t.Helper()
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.Iter([]byte("q"), []byte("r"))
	if err != nil {
		t.Fatal(err)
	}
	b, n := db.Batch(), 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
		err = errors.Join(err, b.Set(it.Key(), []byte{0xff}))
	}
	if err := errors.Join(err, it.Close(), b.Commit(), b.Close(), db.Close()); err != nil || n == 0 {
		t.Fatalf("%d rows were spoilt (%v)", n, err)
	}
}
