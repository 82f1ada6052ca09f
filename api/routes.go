package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// routes finds the handler of a path. It stands in for http.ServeMux because
// connection ids are arbitrary text: ServeMux answers a path with ".." or "//"
// with a redirect, and has no match for an id that is "/". Here a path is split where
// it has slashes as sent, each segment is decoded once, and a wildcard takes any
// segment that is not empty. It implements humago.Mux.
type routes struct {
	list    []route
	unknown http.Handler // for a path that no route has
}

// route answers one method at one pattern, such as /v1/events/{id}.
type route struct {
	method   string
	pattern  string
	segments []string // a wildcard is its name in braces
	handler  http.Handler
}

// HandleFunc adds a route; pattern is "METHOD /path", with wildcards in braces.
func (r *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	r.list = append(r.list, route{method: method, pattern: path, segments: split(path), handler: http.HandlerFunc(handler)})
}

// ServeHTTP answers a request by its route.
func (r *routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.find(req).handler.ServeHTTP(w, req)
}

// find returns the request's route and gives the request its path values. A
// route for GET answers HEAD too.
func (r *routes) find(req *http.Request) route {
	segments := split(req.URL.EscapedPath())
	for i, s := range segments {
		if text, err := url.PathUnescape(s); err == nil { // it always is nil: the path was parsed before
			segments[i] = text
		}
	}
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for _, rt := range r.list {
		if !rt.matches(segments) {
			continue
		}
		if rt.method != method {
			allow = append(allow, rt.method)
			continue
		}
		for i, s := range rt.segments {
			if name, ok := wildcard(s); ok {
				req.SetPathValue(name, segments[i])
			}
		}
		return rt
	}
	if allow == nil {
		return route{pattern: "unknown", handler: r.unknown}
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return route{pattern: "unknown", handler: methodNotAllowed(strings.Join(allow, ", "))}
}

func (rt *route) matches(segments []string) bool {
	if len(segments) != len(rt.segments) {
		return false
	}
	for i, s := range rt.segments {
		_, wild := wildcard(s)
		if wild && segments[i] == "" || !wild && segments[i] != s {
			return false
		}
	}
	return true
}

func wildcard(segment string) (name string, ok bool) {
	if strings.HasPrefix(segment, "{") {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func methodNotAllowed(allow string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, r, &Problem{Status: http.StatusMethodNotAllowed, Code: CodeMethodNotAllowed,
			Detail: "This path does not answer " + r.Method + ". It answers " + allow + "."})
	})
}

func unknownPath(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, &Problem{Status: http.StatusNotFound, Code: CodeUnknownPath,
		Detail: "Nothing answers at this path. GET /openapi.json lists what does."})
}
