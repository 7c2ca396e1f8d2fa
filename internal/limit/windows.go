package limit

// windows are those of a key. Most keys have one or two in use; the first lies
// within the account, as reading memory is what most of a decision takes where
// there are many keys.
type windows struct {
	first window // in use if its id says so
	more  []window
}

func (s *windows) len() int {
	if s.first.id == (windowID{}) {
		return 0
	}
	return 1 + len(s.more)
}

func (s *windows) at(i int) *window {
	if i == 0 {
		return &s.first
	}
	return &s.more[i-1]
}

// find returns the window of that limit, nil where nothing was charged.
func (s *windows) find(id windowID) *window {
	for i := range s.len() {
		if w := s.at(i); w.id == id {
			return w
		}
	}
	return nil
}

// open finds the window or begins it.
func (s *windows) open(id windowID) *window {
	if w := s.find(id); w != nil {
		return w
	}
	return s.add(newWindow(id))
}

func (s *windows) add(w window) *window {
	if s.len() == 0 {
		s.first = w
	} else {
		s.more = append(s.more, w)
	}
	return s.at(s.len() - 1)
}

// retain drops those of which keep says no.
func (s *windows) retain(keep func(*window) bool) {
	n, total := 0, s.len()
	for i := range total {
		if w := s.at(i); keep(w) {
			*s.at(n) = *w
			n++
		}
	}
	for i := n; i < total; i++ {
		*s.at(i) = window{}
	}
	s.more = s.more[:max(n-1, 0)]
}
