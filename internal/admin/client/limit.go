package client

import "strconv"

// Word writes the limit as people do, TRAFFIC:UNIT:MAX/WINDOW, which gatectl and the
// pages take.
func (l Limit) Word() string {
	return string(l.On) + ":" + string(l.Unit) + ":" + strconv.FormatInt(l.Max, 10) + "/" + l.Window
}
