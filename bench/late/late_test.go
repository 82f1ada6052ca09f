package late

import "testing"

func TestRunAppliesEveryEvent(t *testing.T) {
	got, err := Spec{Dir: t.TempDir(), History: 2_500, Samples: 50, Body: 600, Seed: 1}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if got.Late.Count != 50 || got.InOrder.Count != 50 || got.Late.P50 <= 0 || got.InOrder.P50 <= 0 {
		t.Errorf("%+v", got)
	}
}
