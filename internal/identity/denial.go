package identity

// Denial is the refusal of a credential, with what is known of it: for accounts,
// never for whoever presented it. Immutable.
type Denial struct {
	*Refusal
	Arrival Arrival
	// Key is the key that was presented, where it exists.
	Key *Identity
	// Hint is what people may see of a key in good form that is not known to
	// exist; empty elsewhere.
	Hint string
}

// Unwrap returns the refusal.
func (d *Denial) Unwrap() error { return d.Refusal }

// AsRefusal returns the refusal alone, nil of a nil denial.
func (d *Denial) AsRefusal() *Refusal {
	if d == nil {
		return nil
	}
	return d.Refusal
}
