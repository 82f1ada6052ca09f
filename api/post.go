package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
)

// maxPosted is the longest body of a request to the API.
const maxPosted = 2 << 20

// post adds an operation that changes something. It needs a key that may
// (Options.Admin), and answers no page of another site in somebody's browser: a server
// without keys on this machine would otherwise do what any page asks.
func post[I, O any](h *Handler, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op.Method = http.MethodPost
	op.SkipValidateParams, op.SkipValidateBody = true, true
	if op.DefaultStatus == 0 {
		op.DefaultStatus = http.StatusOK
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = h.problemResponse()
	op.Middlewares = append(op.Middlewares, lifted)
	// huma would read a body that it knows of; Posted does.
	posted := op.RequestBody
	op.RequestBody = nil
	huma.Register(h.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, h.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
	h.huma.OpenAPI().Paths[op.Path].Post.RequestBody = posted
}

// lifted lets an answer take longer than the server's limit: what was begun is
// brought to its end.
func lifted(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // without it the limit stays
	next(ctx)
}

// admin puts what changes something behind the admin's access, and before it the
// question whether the request comes from a page of another site.
func (h *Handler) admin(next http.Handler) http.Handler {
	var origin http.CrossOriginProtection
	next = h.o.Admin(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := origin.Check(r); err != nil {
			writeProblem(w, r, &Problem{Status: http.StatusForbidden, Code: CodeCrossOrigin,
				Detail: "A page of another site asked for this in your browser. It is refused."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Posted is the JSON body of a request. It is exported because huma reads
// exported fields alone.
type Posted[T any] struct {
	value T
	err   error
	read  bool
}

// Resolve reads the body: strictly, for a name that is not known may be one that was
// meant otherwise. No body stands for the zero value.
func (p *Posted[T]) Resolve(ctx huma.Context) []error {
	if p.read { // huma asks the struct that embeds it, and then itself
		return nil
	}
	p.read = true
	b, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), maxPosted+1))
	switch {
	case err != nil:
		p.err = &Problem{Status: http.StatusBadRequest, Code: CodeBadRequest, Detail: "The request's body did not come in whole."}
	case len(b) > maxPosted:
		p.err = &Problem{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLarge, Detail: fmt.Sprintf("The request's body is longer than %d bytes.", maxPosted)}
	case len(b) == 0:
	case !isJSON(ctx.Header("Content-Type")):
		p.err = &Problem{Status: http.StatusUnsupportedMediaType, Code: CodeMediaType, Detail: "The request's body has to be application/json, and its header Content-Type has to say so."}
	default:
		if err := json.Unmarshal(b, &p.value, json.RejectUnknownMembers(true)); err != nil {
			p.err = &Problem{Status: http.StatusBadRequest, Code: CodeBadRequest, Detail: "The request's body is not what is asked for here: " + publicWords(err)}
		}
	}
	return nil
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// postedBody describes a body of the type T.
func postedBody[T any](h *Handler, required bool) *huma.RequestBody {
	return &huma.RequestBody{Required: required, Content: map[string]*huma.MediaType{
		"application/json": {Schema: h.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")},
	}}
}
