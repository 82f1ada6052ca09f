package main

import (
	"encoding/json"
	"testing"
)

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain ü 日本 \u00e9 🙂":    "plain ü 日本 \u00e9 🙂",
		"a\x1b[31mred":           `a\x1b[31mred`,
		"bell\a back\b nul\x00":  `bell\x07 back\x08 nul\x00`,
		"line\nfeed\ttab\rcr":    `line ⏎ feed\ttab\x0dcr`,
		"a:\r\n\t  b\n\nc\n":     `a: ⏎ b ⏎  ⏎ c ⏎`,
		"\n\x1b[2J":              `⏎ \x1b[2J`,
		"c1 \u009b31m del\u007f": `c1 \x9b31m del\x7f`,
		"rtl \u202egnp.exe":      `rtl \u202egnp.exe`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"ls\u2028ps\u2029":       `ls\u2028ps\u2029`,
		"bad \xff utf-8":         `bad \xff utf-8`,
		"replaced \ufffd":        `replaced \ufffd`,
	} {
		if got := inert(in); got != want {
			t.Errorf("inert(%q) = %q, want %q", in, got, want)
		}
	}
	if got := escape("line\nfeed", ""); got != `line\nfeed` {
		t.Errorf("escape: %q", got)
	}
	if got := inertLines("a\nb\x1b"); got != "a\nb\\x1b" {
		t.Errorf("inertLines: %q", got)
	}
}

func TestInertJSON(t *testing.T) {
	in := "{\n \"a\": \"\u009b31m \u202e \u2028 \U000E0001 ü\"\n}"
	got := inertJSON([]byte(in))
	if want := "{\n \"a\": \"\\u009b31m \\u202e \\u2028 \\udb40\\udc01 ü\"\n}"; string(got) != want {
		t.Errorf("inertJSON = %q, want %q", got, want)
	}
	var a, b any
	if err := json.Unmarshal([]byte(in), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &b); err != nil {
		t.Fatal(err)
	}
	if a.(map[string]any)["a"] != b.(map[string]any)["a"] {
		t.Errorf("the value changed: %q, %q", a, b)
	}
}

func TestCSVCell(t *testing.T) {
	for in, want := range map[string]string{"": "", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "2026": "2026"} {
		if got := csvCell(in); got != want {
			t.Errorf("csvCell(%q) = %q, want %q", in, got, want)
		}
	}
}
