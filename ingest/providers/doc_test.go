package providers

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestUserGuide keeps docs/PROVIDERS.md true: its example loads and does what
// it says, and its tables name every key that there is.
func TestUserGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/PROVIDERS.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	_, rest, _ := strings.Cut(guide, "```yaml\nname: acme\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example in the guide")
	}
	d, err := Parse("PROVIDERS.md", []byte("name: acme\n"+example))
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"id":"d1","event":"sync.finished","created":1614556800,"account_id":7,"data":{"result":"no","error":"quota"}}`)
	now := time.Unix(1614556800, 0)
	header, err := d.Sign(NewSecret("s"), "", now, body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(header.Get("X-Acme-Signature"), "t=1614556800,v1=") {
		t.Errorf("signed as %v", header)
	}
	if _, err := verifier(t, d, "s").Verify(Request{Header: header, Body: body}, now); err != nil {
		t.Error(err)
	}
	o, err := d.NewMapper().Map(body, header.Get)
	if err != nil || o.Connection != "7" || o.DeliveryID != "d1" || o.Rule != "sync broken" || o.Detail.Message != "quota" || !o.OccurredAt.Equal(now) {
		t.Errorf("%+v, %v", o, err)
	}

	keys := []string{"extends", "rules_first", "title", "assumed", "notes", "on_failure", "keep_headers", "sensitive", "redact", "form_field", "time_unit", "time_zone", "sequence", "type_prefix", "when", "set", "reason", "code", "message", "request_id", "expires_at"}
	for _, list := range signatureKeys {
		keys = append(keys, list...)
	}
	keys = append(keys, CodeNotJSON, CodeNoConnection, CodeBadConnection, CodeNoType, CodeBadType, CodeBadID, CodeBadTime, CodeBadSequence, CodeExpression)
	for _, k := range keys {
		if !strings.Contains(guide, "`"+k+"`") && !strings.Contains(guide, "`"+k+":") {
			t.Errorf("the guide says nothing about %s", k)
		}
	}
	for f := range NumFacets {
		if values := "`" + f.String() + "` (" + strings.Join(f.Values(), ", ") + ")"; !strings.Contains(guide, values) {
			t.Errorf("the guide lacks %s", values)
		}
	}
}
