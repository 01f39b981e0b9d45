package validate

import "time"

// WindowStart returns when the window begins that a time is in. Windows are counted
// from 1970 on, whether or not they divide a day.
func WindowStart(t time.Time, window time.Duration) time.Time {
	return time.Unix(0, floorDiv(nanos(t), int64(window))*int64(window)).UTC()
}
