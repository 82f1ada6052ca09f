package api

import "testing"

// Only what covers the body is a signature: whoever knows a token can have sent anything.
func TestSigned(t *testing.T) {
	for verified, want := range map[string]bool{
		"hmac": true, "standard-webhooks": true, "jwt": true,
		"token": false, "basic": false, "none": false, "": false,
	} {
		if got := signed(verified); got != want {
			t.Errorf("%q: %v", verified, got)
		}
	}
}
