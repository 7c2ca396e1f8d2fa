package demo

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// dice draw what is left to chance. Each key has its own, so that one more key
// changes nothing for the others.
type dice struct{ *rand.Rand }

// newDice returns those of a name.
func newDice(seed uint64, name string) dice {
	h := fnv.New64a()
	h.Write([]byte(name))
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))} //nolint:gosec // it is to be the same again
}

// poisson draws how often something happens that happens mean times on average.
func (d dice) poisson(mean float64) int64 {
	if mean <= 0 {
		return 0
	}
	if mean > 50 {
		return max(int64(math.Round(mean+d.NormFloat64()*math.Sqrt(mean))), 0)
	}
	n, p := int64(-1), 1.0
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= d.Float64()
	}
	return n
}

// about draws a value around x, off it by a part of it at most.
func (d dice) about(x, spread float64) float64 { return x * (1 + spread*(2*d.Float64()-1)) }

// characters draws four of those that keys are made of.
func (d dice) characters() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	drawn := make([]byte, 4)
	for i := range drawn {
		drawn[i] = alphabet[d.IntN(len(alphabet))]
	}
	return string(drawn)
}
