// Package web serves the pages of the admin endpoint: what people see of keys,
// users, usage, logs and alerts, and the forms to change them.
//
// A page is a client of the admin API like any other, but in the same process:
// what a person may see and do, what is valid, what is recorded, all of that the
// API decides. The package turns its answers into HTML, and forms into its calls.
// It keeps nothing but the sessions of those who are signed in.
//
// Pages are made from embedded templates and work without JavaScript; the little
// there is improves them (app.js says how). Nothing is loaded from elsewhere, and
// the Content-Security-Policy lets nothing be.
package web
