// Package archtest checks what no compiler does: that packages import each
// other only in the direction that the design gives, and that generated files
// are those that the generators make now.
package archtest
