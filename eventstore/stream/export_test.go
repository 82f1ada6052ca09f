package stream

import (
	"testing"
	"time"
)

// FreeSpace returns the bytes that are free under path.
func FreeSpace(t testing.TB, path string) int64 {
	t.Helper()
	free, _, err := space(path)
	if err != nil {
		t.Fatal(err)
	}
	return free
}

// Patience is how long anything may take on a busy machine: only what never comes uses it up.
const Patience = 2 * time.Minute

// Until waits for a condition that has to come true.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	const look = 5 * time.Millisecond
	for looks := Patience / look; !holds(); looks-- { // counted, so that time in which the process does not run is none
		if looks == 0 {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(look)
	}
}
