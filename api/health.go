package api

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Health is the answer of a server that lives, or is ready.
type Health struct {
	Status string            `json:"status" enum:"ok"`
	Checks map[string]string `json:"checks,omitempty" doc:"ok for each part, or a warning about it"`
}

func (h *Handler) addHealth() {
	get(h, huma.Operation{
		OperationID: "livez", Path: "/livez", Tags: []string{"server"},
		Summary:     "Whether the process answers",
		Description: "Restart it where it does not. It says nothing about its parts: see readyz.",
	}, func(context.Context, *struct{}) (*body[Health], error) {
		return &body[Health]{Health{Status: "ok"}}, nil
	})
	get(h, huma.Operation{
		OperationID: "readyz", Path: "/readyz", Tags: []string{"server"},
		Summary:     "Whether webhooks are accepted and applied",
		Description: "200 while both work; else a problem with the code not_ready whose checks give the reason for each part.",
	}, h.ready)
}

func (h *Handler) ready(ctx context.Context, _ *struct{}) (*body[Health], error) {
	checks := map[string]string{}
	var failed []string
	for _, c := range h.o.Ready(ctx) {
		checks[c.Name] = "ok"
		switch {
		case c.Err == nil && c.Warning != "":
			checks[c.Name] = "warning: " + publicWords(errors.New(c.Warning))
		case c.Err != nil:
			checks[c.Name] = publicWords(c.Err)
			failed = append(failed, c.Name+": "+checks[c.Name])
		}
	}
	if failed != nil {
		return nil, &Problem{Status: http.StatusServiceUnavailable, Code: CodeNotReady, Detail: strings.Join(failed, "; "), Checks: checks}
	}
	return &body[Health]{Health{Status: "ok", Checks: checks}}, nil
}

// credentials are the user and password of a URL in somebody's error.
var credentials = regexp.MustCompile(`//[^/\s@]*@`)

// publicWords are an error's words as anybody may read them: one line, not
// endless, and without the credentials of a URL.
func publicWords(err error) string {
	s := credentials.ReplaceAllString(err.Error(), "//")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' }), " ")
	if r := []rune(s); len(r) > 400 {
		s = string(r[:400]) + "…"
	}
	return s
}
