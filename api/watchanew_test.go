package api

import (
	"slices"
	"testing"
)

// When other projections take over, any state may be another one, at the position
// that it had: whoever watches is told all of them, and so is one that comes back
// from before that.
func TestWatchOverATakeover(t *testing.T) {
	r := watchRig(t, 0)
	r.put("connection.online", "a", "b")
	r.put("connection.offline", "c")
	s := openWatch(t, r.server.URL+"/v1/watch", "")
	if _, err := s.block(); err != nil {
		t.Fatal(err)
	}
	all := func(s *stream) (got []string) {
		for range 3 {
			v, _ := s.state()
			got = append(got, v.Connection)
		}
		slices.Sort(got)
		return got
	}
	r.o.Hub.Replaced(2)
	if got := all(s); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("told %v", got)
	}
	r.put("connection.online", "d")
	if v, id := s.state(); v.Connection != "d" || id != "3" {
		t.Errorf("and then %+v with the id %s", v, id)
	}
	for _, last := range []string{"1", "2"} {
		if got := all(openWatch(t, r.server.URL+"/v1/watch?health=healthy&health=offline", last)); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("behind %s: %v", last, got)
		}
	}
	behind := openWatch(t, r.server.URL+"/v1/watch", "3")
	r.put("connection.online", "e")
	if v, _ := behind.state(); v.Connection != "e" {
		t.Errorf("behind 3: %+v", v)
	}
}

// Projections that are filled again after a start are at a position that a client
// was told of before: it is told all states as they come, and those that are there.
func TestWatchOfRefilledProjections(t *testing.T) {
	r := watchRig(t, 0)
	r.o.Hub.Forget(50)
	r.put("connection.online", "a")
	r.put("connection.offline", "b")
	for range 2 { // also one that comes back with an id that it was given meanwhile
		s := openWatch(t, r.server.URL+"/v1/watch", "50")
		var got []string
		for range 2 {
			v, _ := s.state()
			got = append(got, v.Connection)
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("told %v", got)
		}
		r.put("connection.online", "a")
		if v, id := s.state(); v.Connection != "a" || id == "" {
			t.Errorf("and then %+v with the id %s", v, id)
		}
		s.close()
	}
}
