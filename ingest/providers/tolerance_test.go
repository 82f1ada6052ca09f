package providers

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestWithTolerance(t *testing.T) {
	now := time.Unix(1773480413, 0)
	for name, signature := range map[string]string{"hmac": stripeSignature, "standard-webhooks": "scheme: standard-webhooks"} {
		d := define(t, signature)
		const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		header, err := d.Sign(NewSecret(secret), "msg_1", now, []byte(body600))
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := d.WithTolerance(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		wide, err := d.WithTolerance(time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if narrow.Digest() != d.Digest() || narrow.Content() != d.Content() || narrow.Name() != d.Name() {
			t.Errorf("%s: it is another definition", name)
		}
		late := func(d *Definition, by time.Duration) bool {
			_, err := verifier(t, d, secret).Verify(Request{Header: header, Body: []byte(body600)}, now.Add(by))
			if err != nil && !errors.Is(err, ErrOutsideWindow) {
				t.Fatal(err)
			}
			return err != nil
		}
		if late(narrow, 9*time.Second) || !late(narrow, 12*time.Second) || late(d, 12*time.Second) || !late(d, 50*time.Minute) || late(wide, 50*time.Minute) {
			t.Errorf("%s: the windows are not 10 s, 5 minutes and an hour", name)
		}
		for _, window := range []time.Duration{0, -time.Second, time.Millisecond, 8 * 24 * time.Hour} {
			if _, err := d.WithTolerance(window); err == nil || !strings.Contains(err.Error(), "not between 1s") {
				t.Errorf("%s: a window of %v: %v", name, window, err)
			}
		}
	}
	for _, signature := range []string{"scheme: none", "scheme: basic", "scheme: token\npath: true", "scheme: hmac\nheader: X"} {
		if _, err := define(t, signature).WithTolerance(time.Minute); err == nil || !strings.Contains(err.Error(), "no replay window") {
			t.Errorf("%s: %v", signature, err)
		}
	}
}
