package api

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The document is checked as a whole by its golden file, whose validity against
// the schema of OpenAPI 3.1 was checked when it was written; these are the rules that a
// change is likely to break.
func TestOpenAPI(t *testing.T) {
	r := newRig(t)
	res, b := r.send("GET", "/openapi.json")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	golden(t, "openapi.json", b)
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct {
				Name, In, Description string
				Required              bool
				Schema                map[string]any
			}
			Responses map[string]struct {
				Description string
				Content     map[string]any
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}
	if err := json.Unmarshal([]byte(b), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version != "test" {
		t.Errorf("openapi %q, info %+v", doc.OpenAPI, doc.Info)
	}
	for _, path := range []string{
		"/v1/connections", "/v1/connections/{source}/{connection}", "/v1/connections/{source}/{connection}/events", "/v1/events/{id}",
		"/v1/events/{id}/raw", "/v1/quarantine", "/v1/watch", "/v1/connections/{source}/{connection}/explain",
		"/v1/connections/{source}/{connection}/corrections", "/v1/connections/{source}/{connection}/stats", "/v1/connections/{source}/{connection}/diff", "/v1/stats", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs",
	} {
		if _, ok := doc.Paths[path]["get"]; !ok {
			t.Errorf("no GET %s", path)
		}
	}
	for _, rt := range r.routes.list {
		if _, ok := doc.Paths[rt.pattern][strings.ToLower(rt.method)]; !ok {
			t.Errorf("%s %s is served and not described", rt.method, rt.pattern)
		}
	}
	ids := map[string]string{}
	wild := regexp.MustCompile(`\{(\w+)\}`)
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if ids[op.OperationID] != "" || op.OperationID == "" {
				t.Errorf("%s %s has the operation id %q of %s", method, path, op.OperationID, ids[op.OperationID])
			}
			ids[op.OperationID] = path
			var declared []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					declared = append(declared, p.Name)
				}
				if p.Description == "" || p.Schema == nil || p.In == "path" && !p.Required {
					t.Errorf("%s %s: parameter %+v", method, path, p)
				}
			}
			var inPath []string
			for _, m := range wild.FindAllStringSubmatch(path, -1) {
				inPath = append(inPath, m[1])
			}
			if !slices.Equal(declared, inPath) {
				t.Errorf("%s %s declares the path parameters %v", method, path, declared)
			}
			if _, ok := op.Responses["default"].Content["application/problem+json"]; !ok || op.Responses[okStatus(method, path)].Description == "" || len(op.Responses) != 2 {
				t.Errorf("%s %s answers %+v", method, path, op.Responses)
			}
		}
	}
	for _, m := range regexp.MustCompile(`"\$ref": *"#/components/schemas/(\w+)"`).FindAllStringSubmatch(b, -1) {
		if _, ok := doc.Components.Schemas[m[1]]; !ok {
			t.Errorf("a reference to %s, which is not there", m[1])
		}
	}
	for name, s := range doc.Components.Schemas {
		for _, field := range s.Required {
			if _, ok := s.Properties[field]; !ok {
				t.Errorf("%s requires %s and does not have it", name, field)
			}
		}
	}
}

// okStatus is the status of an answer that is no problem.
func okStatus(method, path string) string {
	if method == "post" && path == "/v1/rebuilds" {
		return "202"
	}
	return "200"
}

func TestDocsPage(t *testing.T) {
	r := newRig(t)
	res, page := r.send("GET", "/docs")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	for _, rt := range r.routes.list {
		if !strings.Contains(page, rt.method+" "+rt.pattern) {
			t.Errorf("the page does not name %s", rt.pattern)
		}
	}
	for _, m := range meanings {
		if !strings.Contains(page, "<code>"+m.Code+"</code>") {
			t.Errorf("the page does not name %s", m.Code)
		}
	}
	// Nothing is loaded from anywhere, and nothing runs.
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "http-equiv", "@import", "url(", " onload", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") && m[1] != "/openapi.json" {
			t.Errorf("the page leads to %s", m[1])
		}
		if anchor, ok := strings.CutPrefix(m[1], "#"); ok && !strings.Contains(page, `id="`+anchor+`"`) {
			t.Errorf("the page leads to #%s, which is not there", anchor)
		}
	}
	style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-"+sha256Base64(style)+"'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy %q does not let the page have its style", policy)
	}
}

func TestEveryCodeHasAMeaning(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range meanings {
		if seen[m.Code] || m.Meaning == "" {
			t.Errorf("code %q: twice, or without a meaning", m.Code)
		}
		seen[m.Code] = true
	}
	for _, row := range problems {
		if !seen[row.code] || row.detail == "" {
			t.Errorf("%v gives the code %q, which has no meaning", row.err, row.code)
		}
	}
}
