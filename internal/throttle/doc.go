// Package throttle slows down whoever keeps presenting unknown keys, so that
// guessing costs the guesser and not the store.
//
// Each address has a bucket of failures that it may cause: Burst at once,
// then PerSecond. Only failures are charged, so that senders with good keys
// never meet it, whatever their rate.
//
// # Bounds
//
// Buckets are kept for at most MaxAddresses addresses, at about 200 bytes each
// (13 MB for the default), whatever arrives. An address gives its place up to
// a newcomer only when its bucket is full again, that is when forgetting it
// changes nothing. While no place can be had, newcomers share an allowance of
// their own: a sixteenth of what the tracked addresses have together, and at
// least that of one address for each of up to 16 shards. So all addresses
// there are, an attacker's /32 of IPv6 included, cause at most
//
//	(MaxAddresses + max(MaxAddresses/16, 16)) · (Burst + PerSecond · T)
//
// failures in any T seconds, if each failure is charged before the next is
// allowed. Failures that were already under way when a bucket ran empty come on
// top; the next ones wait until they are paid back, or Burst of them, since an
// address that many people share must not be shut out for hours.
package throttle
