package past

import "testing"

func TestRunAsksOnEveryAxis(t *testing.T) {
	got, err := Spec{Dir: t.TempDir(), History: 3_500, Samples: 200, Known: 100, Body: 600, Seed: 1}.Run()
	if err != nil {
		t.Fatal(err)
	}
	for _, axis := range Axes {
		want := 100
		if axis == ValidAt {
			want = 200
		}
		if l := got[axis]; l.Count != want || l.P50 <= 0 || l.P99 < l.P50 {
			t.Errorf("%s: %+v", axis, l)
		}
	}
}
