package lab

import (
	"math"
	"slices"
)

// median is 0 of nothing.
func median(seconds []float64) float64 {
	if len(seconds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// spread is the median distance from the median, which one slow round doesn't move.
func spread(seconds []float64) float64 {
	middle, distances := median(seconds), make([]float64, len(seconds))
	for i, s := range seconds {
		distances[i] = math.Abs(s - middle)
	}
	return median(distances)
}

// Two ways are told apart when their medians differ by leastDifference, and one is faster in mostPairs of all pairs of a round of
// one and a round of the other. With three rounds one pair of nine may say otherwise;
// with five, one whole round.
const (
	leastDifference = 1.05
	mostPairs       = 0.8
)

// faster is the sign of what noise doesn't explain: -1 when a took less time than b, 1 when it took more, else 0.
func faster(a, b []float64) int {
	x, y := median(a), median(b)
	switch {
	case max(x, y) < leastDifference*min(x, y):
		return 0
	case below(a, b) >= mostPairs:
		return -1
	case below(b, a) >= mostPairs:
		return 1
	}
	return 0
}

// below is the share of pairs in which a's round took less time than b's.
func below(a, b []float64) float64 {
	pairs := 0
	for _, x := range a {
		for _, y := range b {
			if x < y {
				pairs++
			}
		}
	}
	return float64(pairs) / float64(len(a)*len(b))
}
