package config

import (
	"errors"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"listen: 8080\n", `:1: listen: "8080" is not an address`},
		{"data_dir: d\nlisten: 127.0.0.1:99999\n", ":2: listen: "},
		{"listen: \"a b:1\"\n", "is not an address"},
		{"ingest_listen: nowhere\n", "ingest_listen: "},
		{"listen: 127.0.0.1:1\ningest_listen: 127.0.0.1:1\n", ":2: ingest_listen: the same address as listen"},
		{"data_dir: \"\"\n", "data_dir: empty"},
		{"nats: {replicas: 2}\n", "1, 3 or 5"},
		{"nats: {replicas: 3}\n", "the embedded server keeps one copy"},
		{"nats: {credentials: c}\n", "only for an external server"},
		{"nats: {monitor_urls: [\"http://a:8222\"]}\n", "only for an external server"},
		{"nats: {tls: {ca: c}}\n", "only for an external server"},
		{"nats: {url: \"http://a\"}\n", "not a NATS URL"},
		{"nats: {url: \"nats://a,\"}\n", "not a NATS URL"},
		{"nats: {url: \"nats://a\", tls: {cert: c}}\n", "cert and key go together"},
		{"limits: {in_flight: 1KiB}\n", "is too little"},
		{"limits: {waiting: 0}\n", "at least one event"},
		{"log: {format: xml}\n", "auto, text or json"},
		{"sources: {m: {provider: makini, max_body: 0}}\n", ":1: sources.m.max_body: 0 is not between"},
		{"sources: {m: {provider: makini, max_body: 33MiB}}\n", "33MiB is not between"},
		{"limits: {in_flight: 2MiB}\nsources: {m: {provider: makini, max_body: 3MiB}}\n", "more than limits.in_flight (2MiB)"},
	} {
		cfg, err := load(t, c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		err = cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: Validate = %v, want %q", c.text, err, c.want)
		}
	}
	cfg := Default()
	cfg.Listen, cfg.IngestListen = "127.0.0.1:0", "127.0.0.1:0"
	if err := cfg.Validate(); err != nil {
		t.Errorf("two ports that the system picks: %v", err)
	}
	cfg.Sources = nil
	if err := cfg.Validate(); err == nil {
		t.Error("a configuration without sources is valid")
	}
}

func TestCheckExposure(t *testing.T) {
	for addr, safe := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:1": true, "[::1]:8080": true, "localhost:8080": true, "LocalHost:8080": true, "[::ffff:127.0.0.1]:80": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:8080": false, "example.com:80": false, "localhost.example.com:80": false, "": false,
	} {
		c := Default()
		c.Listen, c.IngestListen = addr, "0.0.0.0:8081"
		err := c.CheckExposure(false)
		if (err == nil) != safe {
			t.Errorf("%q without keys: %v", addr, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "auth.keys_file") || !strings.Contains(err.Error(), "--insecure-no-auth")) {
			t.Errorf("the error names no way out: %v", err)
		}
		if err := c.CheckExposure(true); err != nil {
			t.Errorf("%q with --insecure-no-auth: %v", addr, err)
		}
		c.Auth.KeysFile = "keys"
		if err := c.CheckExposure(false); err != nil {
			t.Errorf("%q with keys: %v", addr, err)
		}
	}
	c, err := load(t, "data_dir: d\nlisten: :8080\n")
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := c.CheckExposure(false); !errors.As(err, &e) || e.Line != 2 {
		t.Errorf("the error names no line: %v", err)
	}
}

func TestConnectionLimits(t *testing.T) {
	l := Limits{}
	if n := l.MaxConnections(); n < 1 || n > autoConns {
		t.Errorf("automatic limit %d", n)
	}
	if all, one := l.MaxConnections(), l.MaxConnectionsPerAddress(); one < 1 || one >= all {
		t.Errorf("%d for one address, %d in all", one, all)
	}
	l = Limits{Connections: 1}
	if l.MaxConnections() != 1 || l.MaxConnectionsPerAddress() != 1 {
		t.Errorf("limits of one: %d, %d", l.MaxConnections(), l.MaxConnectionsPerAddress())
	}
	if got := (Limits{Connections: 9, ConnectionsPerAddress: 7}).MaxConnectionsPerAddress(); got != 7 {
		t.Errorf("%d for one address, want what was set", got)
	}
}
