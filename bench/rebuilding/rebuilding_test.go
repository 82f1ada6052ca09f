package rebuilding

import (
	"path/filepath"
	"testing"

	"github.com/tidemark-dev/tidemark/bench/history"
)

func TestEverySideReadsAllAndAgreesWithTheOracle(t *testing.T) {
	dir := t.TempDir()
	h := history.Spec{Cache: dir, Events: 8_000, Connections: 200, Group: 32, Body: 600, Seed: 1}
	made, err := h.Make()
	if err != nil {
		t.Fatal(err)
	}
	serving := filepath.Join(dir, "gen-1")
	for _, s := range []Spec{
		{What: Rebuild, History: h, Dir: serving},
		{What: Rebuild, History: h, Dir: filepath.Join(dir, "gen-2"), Serving: serving},
		{What: Verify, History: h, Dir: filepath.Join(dir, "gen-4"), Serving: serving},
		{What: Refold, History: h, Dir: filepath.Join(dir, "gen-3"), Serving: serving},
	} {
		got, err := s.Run()
		if err != nil {
			t.Fatalf("%s: %v", s.What, err)
		}
		if got.Events != 8_000 || got.States != made.States || got.Took <= 0 || got.Peak <= 0 || got.Bytes <= 0 {
			t.Errorf("%s: %+v, want %+v", s.What, got, made)
		}
		if s.Serving != "" && !got.Equal || s.What == Verify && got.Digests <= 0 {
			t.Errorf("%s is not verified: %+v", s.What, got)
		}
	}
	for _, what := range []string{Bare, BareTCP, Cursor} {
		got, err := Spec{What: what, History: h}.Run()
		if err != nil || got.Events != 8_000 || got.Took <= 0 {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func TestAnotherHistoryIsNotTakenForThisOne(t *testing.T) {
	dir := t.TempDir()
	h := history.Spec{Cache: dir, Events: 2_000, Connections: 50, Group: 32, Body: 600, Seed: 1}
	made, err := h.Make()
	if err != nil {
		t.Fatal(err)
	}
	h.Seed = 2
	if _, err := h.Make(); err != nil {
		t.Fatal(err)
	}
	got, err := Spec{What: Rebuild, History: h, Dir: filepath.Join(dir, "gen-1")}.Run()
	if err != nil || got.States == made.States {
		t.Errorf("%+v, %v", got, err)
	}
}
