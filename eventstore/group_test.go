package eventstore

import (
	"reflect"
	"testing"

	"github.com/oklog/ulid/v2"
)

func TestDecodeReusesItsMemory(t *testing.T) {
	want := benchEvents()
	msg, err := AppendGroup(nil, ulid.ULID{9}, want)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var g Group
	allocs := testing.AllocsPerRun(10, func() {
		if err := d.Decode(msg, &g); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("decoding %d events again allocated %v times", len(want), allocs)
	}
	if g.ID != (ulid.ULID{9}) || g.Size != len(msg) || !reflect.DeepEqual(g.Events, want) {
		t.Errorf("decoded %+v", g)
	}
}
