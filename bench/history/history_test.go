package history

import (
	"bytes"
	"os"
	"testing"
)

func spec(t *testing.T, group int) Spec {
	return Spec{Cache: t.TempDir(), Events: 5_000, Connections: 100, Group: group, Body: 600, Seed: 3}
}

func TestMakeIsTheSameHoweverItIsGrouped(t *testing.T) {
	one := spec(t, 1)
	alone, err := one.Make()
	if err != nil {
		t.Fatal(err)
	}
	if alone.Events != 5_000 || alone.Positions != 5_000 || alone.Connections != 100 {
		t.Errorf("%+v", alone)
	}
	if alone.Late < 100 || alone.Late > 400 || alone.Duplicates < 20 || alone.Duplicates > 100 {
		t.Errorf("%d late, %d duplicates of 5,000 are not about 5 %% and 1 %%", alone.Late, alone.Duplicates)
	}
	observed, err := os.ReadFile(one.Observations())
	if err != nil || bytes.Count(observed, []byte("\n")) != 5_000 {
		t.Fatalf("%d observations, %v", bytes.Count(observed, []byte("\n")), err)
	}
	many := spec(t, 32)
	grouped, err := many.Make()
	if err != nil {
		t.Fatal(err)
	}
	if grouped.States != alone.States || grouped.Positions != 157 {
		t.Errorf("%+v\n%+v", alone, grouped)
	}
	again, err := os.ReadFile(many.Observations())
	if err != nil || !bytes.Equal(again, observed) {
		t.Errorf("the observations differ, %v", err)
	}
}

func TestMakeKeepsWhatIsFinishedAndOnlyThat(t *testing.T) {
	s := spec(t, 32)
	if _, err := s.Make(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(s.made())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Make(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(s.made()); err != nil || after.ModTime() != before.ModTime() {
		t.Errorf("a finished history was made again: %v", err)
	}
	if err := os.Remove(s.made()); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Make(); err != nil || m.Events != s.Events {
		t.Errorf("an unfinished one: %+v, %v", m, err)
	}
}
