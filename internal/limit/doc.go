// Package limit decides how much a key may send, and counts what it has sent.
//
// A plan is a list of limits; a Policy is what applies to one key: its plan's
// limits, and its own in place of them. Each limit holds in a strict sliding
// window: in any interval as long as the window, no more than max is admitted.
//
// The decision is separate from where counts are kept. A Counter keeps them:
// Memory does so in this process, with the help of a Keeper for windows that
// must outlive it. A Tab is what one request has been charged, so that it is
// charged once however many doors and pipelines it passes, and refunded when it
// fails. Package limittest holds the suite that every Counter must pass.
package limit
