package mapping

import (
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func TestEveryFixtureIsRead(t *testing.T) {
	met, err := Spec{For: time.Microsecond}.Run()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	placed := 0
	for _, f := range met {
		seen[f.Definition] = true
		if f.PerEvent <= 0 || f.Name == "" || f.Bytes == 0 {
			t.Errorf("%+v", f)
		}
		if !f.Quarantined {
			placed++
		}
	}
	if len(seen) != len(providers.Builtin()) || placed < len(met)/2 {
		t.Errorf("%d definitions, %d of %d fixtures placed", len(seen), placed, len(met))
	}
}
