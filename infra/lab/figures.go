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

// leastDifference is what two ways must differ by to be told apart, however alike their rounds are.
const leastDifference = 1.05

// faster is the sign of what noise doesn't explain: -1 when a took less time than b, 1 when it took more, 0 when their medians
// are no farther apart than both spreads, or than a twentieth.
func faster(a, b []float64) int {
	x, y := median(a), median(b)
	if max(x, y) < leastDifference*min(x, y) || math.Abs(x-y) <= spread(a)+spread(b) {
		return 0
	}
	if x < y {
		return -1
	}
	return 1
}
