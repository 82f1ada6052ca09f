package providers

// nearest returns the candidate with the smallest edit distance to s, "" where
// none is near enough to be what was meant.
func nearest(s string, candidates []string) string {
	best, bestDistance := "", len(s)/2+2
	for _, c := range candidates {
		if d := editDistance(s, c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, on bytes. Both texts are short keys.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
