package timeline_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// TestRedactedEntry: the mark comes back, also from a lean reading, and nothing else of a row
// depends on it.
func TestRedactedEntry(t *testing.T) {
	for _, e := range history(rand.New(rand.NewPCG(4, 4)), 200) {
		plain := timeline.AppendEntry(nil, e)
		e.Redacted = true
		marked := timeline.AppendEntry(nil, e)
		if bytes.Equal(plain, marked) {
			t.Fatal("the mark is not stored")
		}
		for _, lean := range []bool{false, true} {
			var was, is timeline.Entry
			if err := timeline.DecodeEntry(e.Key, plain, &was, lean); err != nil {
				t.Fatal(err)
			}
			if err := timeline.DecodeEntry(e.Key, marked, &is, lean); err != nil {
				t.Fatal(err)
			}
			if was.Redacted || !is.Redacted {
				t.Fatalf("read back: %v, %v", was.Redacted, is.Redacted)
			}
			if is.Redacted = false; !reflect.DeepEqual(was, is) {
				t.Fatalf("with the mark %+v, without %+v", is, was)
			}
		}
	}
}
