package archtest

import (
	"os"
	"testing"
)

// The import table: who may import whom. Arrows point down only,
//
//	cmd → api → projections → eventstore
//	cmd → ingest → eventstore
//
// ingest and projections meet only in the log and in ingest/providers, a leaf.
//
// DO NOT change this table to make the build pass. An import that it refuses
// means that something stands in the wrong package; move that. A row changes
// together with docs/DESIGN.md, in a commit that says why the shape is better so.
var importTable = []row{
	{pkg: "eventstore", tests: "eventstore/storetest"},
	{pkg: "eventstore/memstore", may: "eventstore", tests: "eventstore/storetest"},
	{pkg: "eventstore/storetest", may: "eventstore"},
	{pkg: "eventstore/stream", may: "eventstore", tests: "eventstore/storetest internal/loopback"},

	{pkg: "ingest/providers"},
	{pkg: "ingest", may: "eventstore ingest/providers", tests: "eventstore/memstore eventstore/stream"},

	{pkg: "projections/kv"},
	{pkg: "projections/timeline", may: "eventstore ingest/providers projections/kv"},
	{pkg: "projections/connections", may: "eventstore ingest/providers projections/kv projections/timeline"},
	{pkg: "projections", may: "eventstore ingest/providers projections/kv projections/timeline projections/connections",
		tests: "eventstore/memstore eventstore/stream projections/projectiontest"},
	{pkg: "projections/projectiontest", may: "eventstore eventstore/memstore ingest/providers projections projections/kv projections/timeline projections/connections",
		tests: "eventstore/stream"},
	{pkg: "projections/rebuild", may: "eventstore ingest/providers projections projections/kv projections/timeline projections/connections",
		tests: "eventstore/memstore eventstore/stream projections/projectiontest"},
	{pkg: "projections/generations", may: "eventstore ingest/providers projections projections/kv projections/rebuild",
		tests: "eventstore/memstore projections/projectiontest"},
	{pkg: "projections/whatif", may: "eventstore ingest/providers projections projections/kv projections/timeline projections/connections",
		tests: "eventstore/memstore projections/projectiontest"},

	{pkg: "api", may: "eventstore ingest/providers projections projections/timeline projections/connections projections/rebuild projections/generations projections/whatif internal/keys",
		tests: "eventstore/memstore projections/kv projections/projectiontest"},

	{pkg: "cmd/tidemark", may: "api eventstore eventstore/stream ingest ingest/providers internal/config internal/keys projections projections/rebuild projections/generations projections/whatif projections/kv projections/timeline projections/connections",
		tests: "eventstore/memstore internal/loopback"},

	{pkg: "internal/config", may: "eventstore ingest/providers"}, // for cmd alone
	{pkg: "internal/keys"}, // for cmd and api alone
	{pkg: "internal/archtest"},
	{pkg: "internal/deploytest", tests: "internal/loopback"},
	{pkg: "internal/loopback"}, // for tests alone
}

// Dependencies that one package hides from all others, tests included: a test
// that needs a running NATS starts one through eventstore/stream.
var fences = []fence{
	{dep: "github.com/nats-io", only: "eventstore/stream",
		why: "only eventstore/stream names a NATS type"},
	{dep: "github.com/cockroachdb/pebble", only: "projections/kv",
		why: "only projections/kv names a Pebble type"},
	{dep: "github.com/cockroachdb/pebble/v2/vfs", only: "projections/kv projections/projectiontest", tests: "projections projections/timeline projections/connections projections/rebuild",
		why: "only projections/kv, and tests that give it a disk in memory, name a Pebble type"},
}

// What of the outside world only cmd reads, and passes down as values.
var onlyInCmd = []reserved{
	{dep: "time", names: "Now Since Until", only: "cmd/tidemark " + testKits,
		why: "only cmd reads the real clock: take a now func() time.Time"},
	{dep: "os", names: "Getenv LookupEnv Environ ExpandEnv Args Exit", only: "cmd/tidemark " + testKits,
		why: "only cmd reads the environment and the arguments, and ends the process: take a value, return an error"},
	{dep: "os/signal", names: "Notify NotifyContext Ignore Stop Reset", only: "cmd/tidemark " + testKits,
		why: "only cmd listens to signals: take a context"},
}

// Packages of test code in files that do not end in _test.go.
const testKits = "eventstore/storetest projections/projectiontest"

// Names that say nothing about what a package does.
const bannedNames = "util utils common models types helpers manager misc shared base"

const maxLines = 500

// Files of more than maxLines lines, each with the reason why it is better in one piece.
var longFiles = map[string]string{}

// TestTree holds this module to the tables above.
func TestTree(t *testing.T) {
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]string{
		"imports":         checkImports(tr, importTable),
		"fences":          checkFences(tr, fences),
		"outside world":   checkReserved(tr, onlyInCmd),
		"package names":   checkNames(tr, bannedNames),
		"package comment": checkComments(tr),
		"file length":     checkLengths(tr, maxLines, longFiles),
	}
	for rule, bad := range rules {
		t.Run(rule, func(t *testing.T) {
			for _, b := range bad {
				t.Error(b)
			}
		})
	}
}
