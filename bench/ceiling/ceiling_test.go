package ceiling

import (
	"testing"
	"time"
)

func TestEveryPartWrites(t *testing.T) {
	for _, part := range []string{"jetstream", "pebble"} {
		result, err := Spec{Part: part, Dir: t.TempDir(), Writers: 4, Body: 600, For: 100 * time.Millisecond}.Run()
		if err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		if result.PerSecond <= 0 || result.Latency.Count < 4 {
			t.Errorf("%s: %+v", part, result)
		}
	}
	if _, err := (Spec{Part: "else"}).Run(); err == nil {
		t.Error("a part that does not exist was measured")
	}
}
