package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// canary is a secret that must never be seen.
const canary = "CANARY-5f0c2a"

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func load(t *testing.T, text string, pairs ...string) (*Config, error) {
	t.Helper()
	return Load(write(t, "tidemark.yaml", text, 0o600), env(pairs...))
}

func reveal(s Source) []string {
	var out []string
	for _, x := range s.Secrets {
		out = append(out, x.Reveal())
	}
	return out
}

func TestLoadEverything(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "second"), []byte("from file \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tidemark.yaml")
	if err := os.WriteFile(path, []byte(`
listen: 127.0.0.1:9000
ingest_listen: "0.0.0.0:8081"
data_dir: data
nats:
  url: nats://user:${NATS_PASSWORD}@a:4222,tls://b:4222
  credentials: nats.creds
  replicas: 3
  monitor_urls: ["http://a:8222", https://b]
  storage_limit: 10GiB
  tls: {ca: /etc/ca.pem, cert: c.pem, key: k.pem}
auth: {keys_file: keys.yaml}
limits: {connections: 100, connections_per_address: 50, in_flight: 128MiB, waiting: 1_0}
disk: {low_water: 1 GB}
memory: {limit: 400MiB, cache: 64MiB}
rebuild: {on_definition_change: review}
log: {level: DEBUG, format: json}
sources:
  makini-prod:
    provider: makini
    secrets: ["${MAKINI_SECRET}", "file:second", 12345678, "a$${b}$c"]
    headers: [X-Request-Id, User-Agent]
    max_body: 2MiB
    tolerance: 10m
  b: {provider: ./b.yaml}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, env("NATS_PASSWORD", canary, "MAKINI_SECRET", "file:/etc/passwd ${HOME}"))
	if err == nil || !strings.Contains(err.Error(), `"1_0" is not a whole number`) {
		t.Fatalf("1_0 passes for a number: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "1_0", "10", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, env("NATS_PASSWORD", canary, "MAKINI_SECRET", "file:/etc/passwd ${HOME}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	want := &Config{
		File: path, Files: []string{in("second")}, Listen: "127.0.0.1:9000", IngestListen: "0.0.0.0:8081", DataDir: in("data"),
		NATS: NATS{URL: "nats://user:" + canary + "@a:4222,tls://b:4222", Credentials: in("nats.creds"), MonitorURLs: []string{"http://a:8222", "https://b"}, Replicas: 3, StorageLimit: 10 << 30,
			TLS: TLS{CA: "/etc/ca.pem", Cert: in("c.pem"), Key: in("k.pem")}},
		Auth:   Auth{KeysFile: in("keys.yaml")},
		Limits: Limits{Connections: 100, ConnectionsPerAddress: 50, InFlight: 128 << 20, Waiting: 10},
		Disk:   Disk{LowWater: 1e9}, Memory: Memory{Limit: 400 << 20, Cache: 64 << 20}, Rebuild: Rebuild{OnDefinitionChange: "review"}, Log: Log{Level: slog.LevelDebug, Format: "json"},
		Sources: []Source{
			{Name: "makini-prod", Provider: "makini", Headers: []string{"X-Request-Id", "User-Agent"}, MaxBody: 2 << 20, Tolerance: 10 * time.Minute,
				Where: path + ":19", Secrets: []providers.Secret{
					// What a variable holds is taken as it is: no file is read for it.
					providers.NewSecret("file:/etc/passwd ${HOME}"), providers.NewSecret("from file "), providers.NewSecret("12345678"), providers.NewSecret("a${b}$c")}},
			{Name: "b", Provider: in("b.yaml"), MaxBody: DefaultMaxBody, Where: path + ":25"},
		},
	}
	c.lines = nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("Load =\n%+v\nwant\n%+v\nsecrets %q", c, want, reveal(c.Sources[0]))
	}
	if got, want := c.NATS.URL.String(), "nats://a:4222,tls://b:4222"; got != want {
		t.Errorf("URL for people %q, want %q", got, want)
	}
}

func TestDefaults(t *testing.T) {
	built, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(built.Validate(), built.CheckExposure(false)); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	if len(built.Sources) != 1 || built.Sources[0].Name != "makini" || !built.Sources[0].Generated {
		t.Errorf("built-in sources %+v", built.Sources)
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "listen: 127.0.0.1:8080\n", "sources:\nnats:\n"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !reflect.DeepEqual(c.Sources, built.Sources) || c.Listen != built.Listen || !reflect.DeepEqual(c.NATS, built.NATS) {
			t.Errorf("%q changes the defaults: %+v", text, c)
		}
	}
}

func TestErrorsNameLineAndCure(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"listen: 127.0.0.1:1\nlisten_ingest: x\n", `:2:1: unknown key "listen_ingest"; the nearest known key is`},
		{"lisen: 127.0.0.1:1\n", `:1:1: unknown key "lisen"; did you mean "listen"?` + "\n     1 | lisen: …"},
		{"keys_file: k\n", `:1:1: unknown key "keys_file"; it belongs elsewhere: "auth.keys_file"`},
		{"sources:\n  m:\n    provider: makini\n    secretz: [" + canary + "]\n", `:4:5: sources.m: unknown key "secretz"; did you mean "secrets"?` + "\n     4 |     secretz: …"},
		{"sources: {m: {provider: makini, secret: [" + canary + "]}}\n", `did you mean "secrets"?` + "\n     1 | sources: …"},
		{"sources:\n  m: {provider: makini, secrets: [\"${NOPE}\"]}\n", ":2:35: sources.m.secrets: environment variable NOPE is not set"},
		{"sources:\n  m: {provider: makini, secrets: [\"${NO-PE}\"]}\n", "${NAME}"},
		{"sources:\n  m: {provider: makini, secrets: [\"x${NOPE\"]}\n", "${NAME}"},
		{"sources:\n  m: {provider: makini, secrets: [\"\"]}\n", ":2:35: sources.m.secrets: secret 1 is empty"},
		{"sources:\n  m: {provider: makini, secrets: [\"${EMPTY}\"]}\n", "secret 1 is empty"},
		{"sources:\n  m: {provider: makini, secrets: " + canary + "}\n", "this is a single value, and a list is wanted"},
		{"sources:\n  m: {provider: makini, secrets: [[" + canary + "]]}\n", "this is a list, and one value is wanted"},
		{"sources:\n  m: {provider: makini, secrets: [!!binary " + canary + "]}\n", "has no meaning here"},
		{"sources:\n  m: {provider: makini, secrets: [\"file:gone\"]}\n", "no such file"},
		{"sources:\n  m: {provider: makini, secrets: [" + strings.Repeat("a,", 16) + "a]}\n", "17 entries, and at most 16"},
		{"sources:\n  m: {provider: makini, secrets: [" + strings.Repeat("a", 4097) + "]}\n", "longer than 4096"},
		{"sources:\n  Makini: {provider: makini}\n", `:2:3: sources.Makini: "Makini" cannot name a source`},
		{"sources:\n  m: {secrets: [a]}\n", ":2:3: sources.m: a source needs a provider"},
		{"sources:\n  m:\n", "a source needs a provider"},
		{"sources: {}\n", "no source, so nothing could be received"},
		{"sources: [a]\n", "this is a list, and keys with values are wanted"},
		{"sources: {m: {provider: makini, headers: [Authorization]}}\n", "authorization holds credentials"},
		{"sources: {m: {provider: makini, headers: [\"a b\"]}}\n", "is no name of an HTTP header"},
		{"sources: {m: {provider: makini, headers: [X-A, x-a]}}\n", "x-a is listed twice"},
		{"sources: {m: {provider: makini, max_body: 1 MegaByte}}\n", `"1 MegaByte" is not a size`},
		{"sources: {m: {provider: makini, max_body: 99999999999TiB}}\n", "is not a size"},
		{"sources: {m: {provider: makini, max_body: -1}}\n", "is not a size"},
		{"sources: {m: {provider: makini, tolerance: 0s}}\n", "write 5m, 90s or 1h"},
		{"sources: {m: {provider: makini, tolerance: 300}}\n", "write 5m, 90s or 1h"},
		{"nats: nats://a:4222\n", ":1:7: nats: this is a single value, and keys with values are wanted"},
		{"nats:\n  replicas: three\n", `:2:13: nats.replicas: "three" is not a whole number`},
		{"nats: {url: \"nats://a\", monitor_urls: [\"http://u:" + canary + "@a\"]}\n", "http://host:8222"},
		{"nats: {url: \"nats://a\", monitor_urls: [\"a:8222\"]}\n", "http://host:8222"},
		{"log: {level: loud}\n", "debug, info, warn or error"},
		{"listen: a\nlog: {}\nlisten: b\n", `:3:1: key "listen" stands here and in line 1`},
		{"- listen\n", ":1:1: this is a list"},
		{"? [a]\n: b\n", "a key has to be a word"},
		{"listen: [\"a\n", ":1:10: this is not YAML"},
		{"listen: a\n\tdata_dir: b\n", ":2:1: this is not YAML"},
		{"a: 1\n---\nb: 2\n", "single document"},
		{"listen: \xff\n", "this is not YAML"},
		{"listen: *nope\n", "this is not YAML"},
	} {
		_, err := load(t, c.text, "EMPTY", "")
		if err == nil {
			t.Errorf("%.80q is accepted", c.text)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "tidemark.yaml:") {
			t.Errorf("%.80q: %v\nwant %q", c.text, err, c.want)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%.80q: the error shows the secret: %v", c.text, err)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := load(t, "sources:\n  m: {provider: makini, max_body: x}\nlog: {level: x}\nlisten: \"${A}\"\n")
	var got []int
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("%T joins nothing", err)
	}
	for _, e := range all.Unwrap() {
		var one *Error
		if !errors.As(e, &one) {
			t.Fatalf("%T is no *Error", e)
		}
		got = append(got, one.Line)
	}
	if want := []int{2, 3, 4}; !reflect.DeepEqual(got, want) {
		t.Errorf("lines %v, want %v:\n%v", got, want, err)
	}
}

// TestInlineProvider: a definition that stands in the configuration itself.
func TestInlineProvider(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "base.yaml"), []byte("extends: makini\nname: base\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `sources:
  acme:
    provider: {extends: makini, signature: {header: "${HEADER}"}}
    secrets: [s]
  beta:
    provider:
      extends: ./base.yaml
      title: a $${b}
      signature: &sig
        header: x-${HEADER}
  gamma:
    provider:
      name: whole
      signature: {scheme: none}
      mapping: {type: body.t, connection: body.c}
  delta:
    provider: {extends: makini, signature: *sig}
`
	path := filepath.Join(dir, "tidemark.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// What the variable holds is taken as it is, also where an alias brings the value in again.
	c, err := Load(path, env("HEADER", "X-Acme"))
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{"X-Acme", "X-X-Acme", "", "X-X-Acme"}
	words := []string{"makini, with what stands here", "./base.yaml, with what stands here", "defined here", "makini, with what stands here"}
	names := []string{"makini", "base", "whole", "makini"}
	for i, s := range c.Sources {
		d, err := s.Definition()
		if err != nil {
			t.Fatal(err)
		}
		if s.Provider != "" || s.ProviderWords() != words[i] || d.Name() != names[i] {
			t.Errorf("%s: %q %q %q", s.Name, s.Provider, s.ProviderWords(), d.Name())
		}
		if headers[i] == "" {
			continue
		}
		h, err := d.Sign(providers.NewSecret("s"), "", time.Time{}, nil)
		if err != nil || h.Get(headers[i]) == "" {
			t.Errorf("%s: signed as %v, %v", s.Name, h, err)
		}
	}
	if d, err := c.Sources[1].Definition(); err != nil || d.Title() != "a ${b}" {
		t.Errorf("%v, %v", d, err)
	}
	for value, want := range map[string]string{
		"{extends: makinni}":                      ":3:25: extends: no built-in provider definition is called \"makinni\"; did you mean \"makini\"?",
		"{extends: makini, signature: {hedr: X}}": ":3:45: signature: unknown key \"hedr\"; did you mean \"header\"?",
		"{extends: nothing.yaml}":                 ":3:25: extends: reading a provider definition: open ",
	} {
		if err := os.WriteFile(path, []byte("sources:\n  a:\n    provider: "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, env())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Sources[0].Definition(); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	for value, want := range map[string]string{
		"{extends: '${NOT_SET}'}":     "environment variable NOT_SET is not set",
		"[makini]":                    "this is a list, and one value is wanted",
		"&p {extends: makini, a: *p}": "", // told when it is loaded
	} {
		c, err := load(t, "sources:\n  a:\n    provider: "+value+"\n")
		if want == "" {
			if err != nil {
				t.Fatal(err)
			}
			if _, err = c.Sources[0].Definition(); err == nil {
				t.Error("an alias that contains itself is accepted")
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

func TestAliases(t *testing.T) {
	c, err := load(t, "sources:\n  a: &a {provider: makini, secrets: [x]}\n  b: *a\n")
	if err != nil || len(c.Sources) != 2 || c.Sources[1].Name != "b" || c.Sources[1].Provider != "makini" {
		t.Errorf("%+v, %v", c, err)
	}
	// Every alias stands for one node: a tower of them costs nothing.
	tower := "listen: &a0 x\n"
	for i := range 60 {
		tower += fmt.Sprintf("k%d: &a%d [*a%d, *a%d]\n", i, i+1, i, i)
	}
	if _, err := load(t, tower); err == nil {
		t.Error("a tower of aliases is accepted")
	}
	if _, err := load(t, "sources: &s\n  a: {provider: makini}\n  b: *s\n"); err == nil {
		t.Error("an alias that contains itself is accepted")
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	c, err := load(t, "nats: {url: \"nats://"+canary+"@a,nats://u:"+canary+"@b:1,:"+canary+"\"}\nsources: {m: {provider: makini, secrets: ["+canary+", \"${S}\"]}}\n", "S", canary)
	if err != nil {
		t.Fatal(err)
	}
	if got := reveal(c.Sources[0]); !reflect.DeepEqual(got, []string{canary, canary}) {
		t.Fatalf("secrets %q", got)
	}
	var out strings.Builder
	for _, v := range []any{c, *c, c.NATS, c.Sources, c.Sources[0]} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Dump(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		out.Write(y)
		slog.New(slog.NewTextHandler(&out, nil)).Info("config", slog.Any("v", v))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("config", slog.Any("v", v))
	}
	out.WriteString(fmt.Sprint(c.Validate(), c.CheckExposure(false)))
	if hex := fmt.Sprintf("%x", canary); strings.Contains(out.String(), canary) || strings.Contains(out.String(), hex) {
		t.Errorf("the secret is printed: %s", out.String())
	}
}

func TestSecretFileOpenToOthersIsWarnedAbout(t *testing.T) {
	secret := write(t, "secret", canary+"\n", 0o644)
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, "sources:\n  m: {provider: makini, secrets: [\"file:${DIR}/secret\"]}\n", "DIR", filepath.Dir(secret))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "chmod 600") || !strings.Contains(c.Warnings[0], ":2: sources.m.secrets") || strings.Contains(c.Warnings[0], canary) {
		t.Errorf("warnings %q", c.Warnings)
	}
	if got := reveal(c.Sources[0]); got[0] != canary {
		t.Errorf("secret %q", got)
	}
}

func TestLocate(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, want := range []string{"", FileName} {
		if got, err := Locate(""); got != want || err != nil {
			t.Errorf("Locate = %q, %v; want %q", got, err, want)
		}
		if got, err := Locate("else.yaml"); got != "else.yaml" || err != nil {
			t.Errorf("Locate(else.yaml) = %q, %v", got, err)
		}
		if err := os.WriteFile(FileName, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load("else.yaml", env()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is asked for and missing: %v", err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "17B": 17, "1KiB": 1024, "1kb": 1000, " 2 MiB ": 2 << 20, "1GiB": 1 << 30, "3TB": 3e12} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
		if back, err := ParseSize(FormatSize(got)); err != nil || back != got {
			t.Errorf("FormatSize(%d) = %q, read back as %d, %v", got, FormatSize(got), back, err)
		}
	}
	for _, text := range []string{"", "MiB", "1.5MiB", "1e6", "0x10", "-1", "1 2", "9223372036854775808", "8388608TiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

// TestDocumented keeps docs/CONFIG.md complete: every key has a row there.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/CONFIG.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(f fields, below string)
	walk = func(f fields, below string) {
		for k, v := range f {
			if v.sub != nil {
				walk(v.sub, below+k+".")
				continue
			}
			n++
			if !strings.Contains(string(doc), "| `"+below+k+"` |") {
				t.Errorf("docs/CONFIG.md has no row for %s", below+k)
			}
		}
	}
	walk(Default().schema(), "")
	if rows := strings.Count(string(doc), "\n| `"); rows != n {
		t.Errorf("docs/CONFIG.md has %d rows, and %d keys are known", rows, n)
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"listen: x", "sources: {m: {provider: makini, secrets: [\"${S}\"]}}", "nats: {url: \"${S}\"}", "a: *a", "sources: &s {m: *s}",
		"${S}: ${S}", "log: {level: \"${S}\"}", "? ${S}\n: x", "sources:\n  - \"${S}\"", "disk: {low_water: \"$${S}\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, env())
		if (c == nil) == (err == nil) {
			t.Fatalf("Load = %v, %v", c, err)
		}
		if err == nil {
			_, _ = c.Validate(), c.CheckExposure(false)
		}
	})
}
