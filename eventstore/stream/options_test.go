package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/internal/loopback"
)

func TestOptionsAreValidated(t *testing.T) {
	for _, c := range []struct {
		name  string
		opts  stream.Options
		words string
	}{
		{"no place", stream.Options{}, "neither a directory"},
		{"prefix", stream.Options{Dir: "x", Prefix: "a.b"}, "prefix"},
		{"replicas without a cluster", stream.Options{Dir: "x", Replicas: 3}, "URL of a cluster"},
		{"too many replicas", stream.Options{URL: "nats://h:4222", Replicas: 7}, "0 to 5"},
		{"no sync outside", stream.Options{URL: "nats://h:4222", NoSync: true}, "sync_interval"},
		{"slow", stream.Options{Dir: "x", AppendTimeout: time.Minute}, "append timeout"},
		{"ack wait", stream.Options{Dir: "x", AppendTimeout: time.Second, AckWait: 2 * time.Second}, "ack wait"},
		{"half a certificate", stream.Options{URL: "tls://h:4222", TLSCert: "c.pem"}, "both"},
		{"scheme", stream.Options{URL: "http://h:4222"}, "scheme"},
		{"second of a list", stream.Options{URL: "nats://h:4222,h2"}, "number 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Now = time.Now
			if err := c.opts.Validate(); err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %v, want one that says %q", err, c.words)
			}
		})
	}
	if err := (stream.Options{Dir: "x", Now: time.Now}).Validate(); err != nil {
		t.Errorf("a directory alone: %v", err)
	}
	if err := (stream.Options{Dir: "x"}).Validate(); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("without a clock: %v", err)
	}
}

// TestSecretsAreNotShown gives URLs with secrets in them that go wrong in several ways.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2"
	dead := loopback.Addr(t)
	for _, url := range []string{
		"nats://user:" + secret + "@" + dead,
		"nats://" + secret + "@" + dead,
		"nats://user:" + secret + "@host:port",
		"nats://user:" + secret + "@" + dead + ", nats://user:" + secret,
		"http://user:" + secret + "@" + dead,
		"%zz" + secret,
	} {
		log, err := stream.Open(t.Context(), stream.Options{URL: url, Now: time.Now})
		if err == nil {
			log.Close()
			t.Errorf("%s opens", url)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}
