package deploytest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// root is the module's directory: go test runs a test where its package is.
const root = "../.."

// service is what these tests need of a service in docker-compose.yml.
type service struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// composeFile reads docker-compose.yml and puts in the variables it asks for.
// Every ${NAME:?…} has to be in vars: compose itself would refuse to start.
func composeFile(t *testing.T, vars map[string]string) map[string]service {
	t.Helper()
	text := regexp.MustCompile(`\$\{(\w+):\?[^}]*\}`).ReplaceAllStringFunc(read(t, "docker-compose.yml"), func(v string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(v, "${"), ":")
		value, ok := vars[name]
		if !ok {
			t.Errorf("docker-compose.yml asks for %s, which this test does not know", name)
		}
		return value
	})
	var f struct {
		Services map[string]service `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(text), &f); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return f.Services
}

// instruction returns what follows a Dockerfile instruction that stands there once.
func instruction(t *testing.T, begin string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+begin+`(.*)$`).FindAllStringSubmatch(read(t, "Dockerfile"), -1)
	if len(found) != 1 {
		t.Fatalf("Dockerfile: %d lines begin %q, want one", len(found), begin)
	}
	return found[0][1]
}

// entrypoint is the image's ENTRYPOINT, in its exec form.
func entrypoint(t *testing.T) []string {
	t.Helper()
	var words []string
	if err := json.Unmarshal([]byte(instruction(t, "ENTRYPOINT ")), &words); err != nil || len(words) == 0 {
		t.Fatalf("Dockerfile: ENTRYPOINT is not a list of words: %v", err)
	}
	return words
}

// unit is what docs/tidemark.service says: its settings, and the configuration
// that its comment recommends.
func unit(t *testing.T) (settings map[string]string, config string) {
	t.Helper()
	const begin = "# /etc/tidemark/tidemark.yaml:\n#\n"
	text := read(t, "docs/tidemark.service")
	_, example, ok := strings.Cut(text, begin)
	if !ok {
		t.Fatalf("docs/tidemark.service does not show a configuration after %q", begin)
	}
	for line := range strings.Lines(example) {
		line, indented := strings.CutPrefix(line, "#   ")
		if !indented {
			break
		}
		config += line
	}
	settings = make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			settings[k] = v
		}
	}
	return settings, config
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// watchSources opens every directory of sources, so that the test cache, which
// does not see what `go build` reads in a subprocess, runs a test again when
// the program has changed.
func watchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "tidemark-data" || d.Name() == "bench") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
