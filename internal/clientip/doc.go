// Package clientip tells whose request it is: the peer's address or, behind
// proxies that are trusted, the one those proxies report.
package clientip
