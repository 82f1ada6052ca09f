package tidemark

import (
	"math"
	"slices"
	"testing"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

const page = `# HELP tidemark_api_request_seconds Time to answer.
# TYPE tidemark_api_request_seconds histogram
tidemark_api_request_seconds_bucket{route="/v1/a/{id}",status="200",le="0.001"} 5
tidemark_api_request_seconds_bucket{route="/v1/a/{id}",status="200",le="+Inf"} 7
tidemark_api_request_seconds_sum{route="/v1/a/{id}",status="200"} 0.3
tidemark_api_request_seconds_bucket{route="/v1/a/{id}",status="404",le="0.001"} 1
tidemark_api_request_seconds_bucket{route="/v1/a/{id}",status="404",le="+Inf"} 1
tidemark_api_request_seconds_bucket{route="/v1/b",status="200",le="0.001"} 100
tidemark_api_request_seconds_bucket{route="/v1/b",status="200",le="+Inf"} 100
`

func TestParseHistogramSumsTheSeriesThatMatch(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		labels []string
		want   []stats.Bucket
	}{
		{[]string{`route="/v1/a/{id}"`, `status="200"`}, []stats.Bucket{{UpTo: 0.001, Count: 5}, {UpTo: inf, Count: 7}}},
		{[]string{`route="/v1/a/{id}"`}, []stats.Bucket{{UpTo: 0.001, Count: 6}, {UpTo: inf, Count: 8}}},
		{[]string{`route="/none"`}, nil},
	} {
		got, err := parseHistogram([]byte(page), "tidemark_api_request_seconds", c.labels)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.labels, got, err, c.want)
		}
	}
}

func TestSinceIsTheDifference(t *testing.T) {
	before := []stats.Bucket{{UpTo: 1, Count: 5}}
	after := []stats.Bucket{{UpTo: 1, Count: 8}, {UpTo: 2, Count: 4}}
	if got, want := Since(before, after), []stats.Bucket{{UpTo: 1, Count: 3}, {UpTo: 2, Count: 4}}; !slices.Equal(got, want) {
		t.Errorf("Since = %v, want %v", got, want)
	}
}
