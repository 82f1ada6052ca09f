package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs the commands of the README's console blocks, one after the other
// and against a real server, and compares what they print with what stands there.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkReadme(t, string(text)); err != nil {
		t.Error(err)
	}
	if n := strings.Count(string(text), "\n"); n >= 200 {
		t.Errorf("the README has %d lines: a first page has fewer than 200", n)
	}
}

// TestReadmeLies changes the README, and each change has to be noticed.
func TestReadmeLies(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, lie := range []struct{ truth, lie string }{
		{"conn_42 is offline: firewall change", "conn_42 is healthy"},
		{"sync_interval always", "sync_interval 2m0s"},
		{"./tidemark history makini/conn_42", "./tidemark histroy makini/conn_42"},
		{`"health":"action_required"`, `"health":"offline"`},
		{"1000 duplicates, 0 conflicts\n", ""},
		{"conn_7 was healthy at", "conn_7 was offline at"},
		{"none of 2 connections differs", "1 of 2 connections differ"},
		{"the same as made anew, byte for byte", "much the same as made anew"},
		{"docs/CONFIG.md", "docs/CONFIGURATION.md"},
	} {
		t.Run(lie.truth, func(t *testing.T) {
			changed := strings.Replace(string(text), lie.truth, lie.lie, 1)
			if changed == string(text) {
				t.Fatal("the README does not say this: mend the test")
			}
			if err := checkReadme(t, changed); err == nil {
				t.Error("the test of the README does not notice")
			} else {
				t.Log(err)
			}
		})
	}
}

// step is one command of the README and what is said to come of it.
type step struct{ command, output string }

// consoleBlocks returns the steps of each ```console block.
func consoleBlocks(text string) (blocks [][]step) {
	for _, m := range regexp.MustCompile("(?s)\n```console\n(.*?)\n?```\n").FindAllStringSubmatch(text, -1) {
		var steps []step
		for line := range strings.Lines(m[1] + "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: strings.TrimSpace(command)})
			} else if len(steps) > 0 {
				steps[len(steps)-1].output += line
			}
		}
		blocks = append(blocks, steps)
	}
	return blocks
}

// checkReadme returns how the README differs from what happens.
func checkReadme(t *testing.T, text string) error {
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the README's commands need %s: %v", tool, err)
		}
	}
	dir := t.TempDir()
	var s *server
	tested := false
	for _, block := range consoleBlocks(text) {
		if len(block) == 0 {
			return errors.New("a console block has no command")
		}
		switch command := block[0].command; command {
		case "go test ./...":
			tested = true // this is what runs
			continue
		case "go run ./cmd/tidemark serve":
			s = mustStart(t, dir)
			if err := differs(block[0], s.stderr(), s); err != nil {
				return err
			}
			continue
		case "go build -o tidemark ./cmd/tidemark":
			if err := os.Symlink(programPath(t), filepath.Join(dir, "tidemark")); err != nil {
				return err
			}
			block = block[1:]
		}
		if s == nil {
			return errors.New("the first command does not start the server")
		}
		if err := runBlock(dir, block, s); err != nil {
			return err
		}
	}
	if s == nil || !tested {
		return errors.New("the README does not say how to start the server, or how to run the tests")
	}
	return checkLinks(text)
}

// runBlock runs the commands of one block in one shell.
func runBlock(dir string, block []step, s *server) error {
	const mark = "=== end of a command, exit code"
	var script strings.Builder
	for _, st := range block {
		fmt.Fprintf(&script, "%s\necho '%s' $?\n", strings.ReplaceAll(st.command, "http://127.0.0.1:8080", s.url), mark)
		if strings.Contains(st.command, "send ") || strings.Contains(st.command, "/in/") {
			script.WriteString("settle\n")
		}
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TIDEMARK_SERVER="+s.url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", block[0].command, err, out)
	}
	for i, part := range strings.Split(string(out), mark)[:len(block)] {
		if i > 0 { // the exit code of the command before
			_, part, _ = strings.Cut(part, "\n")
		}
		if err := differs(block[i], part, s); err != nil {
			return err
		}
	}
	if n := strings.Count(string(out), mark+" 0\n"); n != len(block) {
		return fmt.Errorf("%d of %d commands failed:\n%s", len(block)-n, len(block), out)
	}
	return nil
}

// changing is what differs from run to run, and how both sides write it for the comparison.
var changing = []struct{ pattern, is string }{
	{`(go run \./cmd/|\./)tidemark`, "tidemark"},
	{`\b[0-9A-HJKMNP-TV-Z]{26}\b`, "EVENT"},
	{`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "TIME"},
	{`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`, "TIME"},
	{`sha256=[0-9a-f]{64}`, "SIGNATURE"},
	{`\b\d+(\.\d+)?/s\b`, "RATE"},
	{`\b\d+[dhms](\d+[hms])?\b`, "SPAN"},
	{`\b\d\d+ late\b`, "SOME late"},
	{`"position":\d+`, `"position":N`},
	{`\b(at|1 to) [\d,]+( positions| without a gap)`, "$1 N$2"},
	{`\b[\d,]+ rows, the same`, "N rows, the same"},
	{`sha256 [0-9a-f]{64}`, "sha256 SUM"},
	{`/\S*/tidemark-data`, "DIR/tidemark-data"},
	{`http://127\.0\.0\.1:\d+`, "http://127.0.0.1:8080"},
	{` --server http://127\.0\.0\.1:8080`, ""},
	{`[ \t]+`, " "}, // widths of columns follow their contents
}

func comparable(s string) string {
	for _, c := range changing {
		s = regexp.MustCompile(c.pattern).ReplaceAllString(s, c.is)
	}
	return strings.TrimSpace(s)
}

func differs(st step, printed string, s *server) error {
	want := comparable(st.output)
	if got := comparable(strings.ReplaceAll(printed, s.url, "http://127.0.0.1:8080")); got != want {
		return fmt.Errorf("$ %s\nprints\n%s\nand the README says\n%s", st.command, got, want)
	}
	return nil
}

// checkLinks returns a link of the README to a file that is not there.
func checkLinks(text string) error {
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			return fmt.Errorf("a link of the README leads nowhere: %w", err)
		}
	}
	return nil
}
