package stream_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

var thisMachine = net.IPv4(127, 0, 0, 1)

// refused opens a log that must not open, and returns why.
func refused(t *testing.T, opts stream.Options) error {
	t.Helper()
	var said journal
	opts.Now, opts.Logger = time.Now, said.logger()
	log, err := stream.Open(t.Context(), opts)
	if err == nil {
		log.Close()
		t.Fatal("the log opens")
	}
	if strings.Contains(err.Error()+said.String(), "hunter") {
		t.Errorf("a secret is shown: %v, %s", err, said.String())
	}
	return err
}

// TestASecuredServer has a certificate of a private authority, a user and a password.
func TestASecuredServer(t *testing.T) {
	const password = "hunter2"
	ours := newAuthority(t)
	cert, key := ours.issue(thisMachine, time.Now().Add(time.Hour))
	server := startServer(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }\nauthorization { user: tide, password: %q }\n", cert, key, password))
	url := func(password string) string { return "tls://tide:" + password + "@" + server.addr }

	log := start(t, stream.Options{URL: url(password), TLSCA: ours.file})
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	plain := startServer(t)
	for _, c := range []struct {
		name  string
		opts  stream.Options
		words string
	}{
		{"a wrong password", stream.Options{URL: url("hunter3"), TLSCA: ours.file}, "look at the user and password, or the token, in nats.url"},
		{"no password", stream.Options{URL: server.url(), TLSCA: ours.file}, "set nats.credentials, or write user and password"},
		{"no authority", stream.Options{URL: url(password)}, "nats.tls.ca has to name the authority"},
		{"another authority", stream.Options{URL: url(password), TLSCA: newAuthority(t).file}, "nats.tls.ca has to name the authority"},
		{"another host", stream.Options{URL: strings.Replace(url(password), "127.0.0.1", "localhost", 1), TLSCA: ours.file}, "the certificate the host of nats.url"},
		{"an authority not there", stream.Options{URL: url(password), TLSCA: ours.file + ".gone"}, "nats.tls.ca: "},
		{"a key for an authority", stream.Options{URL: url(password), TLSCA: key}, "nats.tls.ca: "},
		{"TLS where there is none", stream.Options{URL: "tls://" + plain.addr, TLSCA: ours.file}, "write nats:// in nats.url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := refused(t, c.opts); !strings.Contains(err.Error(), c.words) || errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("error %q, want one that says %q, and is not waited for", err, c.words)
			}
		})
	}
}

// TestBothSidesHaveACertificate is a server that asks for the client's.
func TestBothSidesHaveACertificate(t *testing.T) {
	ours := newAuthority(t)
	cert, key := ours.issue(thisMachine, time.Now().Add(time.Hour))
	server := startServer(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", cert, key, ours.file))
	opts := func(cert, key string) stream.Options {
		return stream.Options{URL: server.url(), TLSCA: ours.file, TLSCert: cert, TLSKey: key}
	}
	log := start(t, opts(ours.issue(thisMachine, time.Now().Add(time.Hour))))
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	other := newAuthority(t)
	for name, c := range map[string]struct {
		cert, key string
		words     string
	}{
		"none":          {"", "", "a certificate of ours that it trusts (nats.tls.cert)"},
		"another's key": {cert, ours.file, "nats.tls.cert and nats.tls.key: "},
	} {
		t.Run(name, func(t *testing.T) {
			if err := refused(t, opts(c.cert, c.key)); !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %q, want one that says %q", err, c.words)
			}
		})
	}
	for name, issue := range map[string]func() (cert, key string){
		"one that has run out":     func() (string, string) { return ours.issue(thisMachine, time.Now().Add(-time.Minute)) },
		"one of another authority": func() (string, string) { return other.issue(thisMachine, time.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := refused(t, opts(issue())); !strings.Contains(err.Error(), "(nats.tls.cert)") {
				t.Errorf("error %q, want one that names nats.tls.cert", err)
			}
		})
	}
}
