package limit

import "maps"

// accounts holds those of keys. Make it with newAccounts.
type accounts struct {
	byKey map[string]*account
	peak  int // the most accounts since the map was made
}

func newAccounts() accounts { return accounts{byKey: map[string]*account{}} }

// find returns the account of the key, nil where there is none.
func (s *accounts) find(key string) *account { return s.byKey[key] }

// open finds the account or begins it.
func (s *accounts) open(key string) *account {
	a := s.byKey[key]
	if a == nil {
		a = &account{}
		s.byKey[key] = a
		s.peak = max(s.peak, len(s.byKey))
	}
	return a
}

// retain drops those of which keep says no.
func (s *accounts) retain(keep func(*account) bool) {
	for key, a := range s.byKey {
		if !keep(a) {
			delete(s.byKey, key)
		}
	}
	if len(s.byKey) < s.peak/2 { // a map keeps the room that it once needed
		byKey := make(map[string]*account, len(s.byKey))
		maps.Copy(byKey, s.byKey)
		s.byKey, s.peak = byKey, len(byKey)
	}
}
