package rebuild_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws 30 histories a property where nobody asks for another number, and
// 300 with TIDEMARK_LONG=1: each takes several directories.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks != nil && checks.Value.String() == checks.DefValue {
		n := "30"
		if os.Getenv("TIDEMARK_LONG") == "1" {
			n = "300"
		}
		if err := flag.Set("rapid.checks", n); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
