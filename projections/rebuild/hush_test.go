package rebuild_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// TestHush: no text of the old state is told that the new one does not have, and all else is.
func TestHush(t *testing.T) {
	const canary = "CANARY"
	old := connections.State{Health: "failing", HealthReason: "sync failed: " + canary, Source: "s", Connection: "c"}
	fillTexts(reflect.ValueOf(&old.Lifecycle).Elem(), canary)
	fillTexts(reflect.ValueOf(&old.Connectivity).Elem(), canary)
	fillTexts(reflect.ValueOf(&old.Auth.FacetState).Elem(), canary)
	fillTexts(reflect.ValueOf(&old.Sync.FacetState).Elem(), canary)
	fillTexts(reflect.ValueOf(&old.Error).Elem(), canary)
	old.Sync.Error = &connections.Failure{Code: "kept", Message: canary, RequestID: canary}
	removed := old
	removed.Sync.Error = &connections.Failure{Code: canary}
	is := connections.State{Sync: connections.SyncState{Error: &connections.Failure{Code: "kept"}}}
	for _, c := range []rebuild.Change{{Old: &old, New: &is}, {Old: &removed}, {New: &is}, {}} {
		c.Hush()
		b, err := json.Marshal(c)
		if err != nil || strings.Contains(string(b), canary) {
			t.Errorf("%s, %v", b, err)
		}
	}
	if old.Sync.Error.Code != "kept" || old.Health != "failing" || old.Auth.Value != "value" || old.Auth.Reason != "[masked]" {
		t.Errorf("%+v", old)
	}
}

// fillTexts sets every text of a facet that an event could have given, so that one that is added is not forgotten.
func fillTexts(v reflect.Value, text string) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			fillTexts(f, text)
		case v.Type().Field(i).Name == "Value" || v.Type().Field(i).Name == "Event":
			f.SetString("value")
		case f.Kind() == reflect.String:
			f.SetString(text)
		}
	}
}
