// Package siege plays those who want the bridge to fall over, so that it can be
// measured what everybody else notices of them.
//
//	attackers (processes of their own) ──connections, bombs, forgeries──▶ bridge
//	clients (internal/torture)         ──batches, each timed──────────────▶
//
// An attack (attacks.go) is either connections that are held for as long as the
// bridge lets them and opened again when it does not (hold.go), or requests at a
// rate (flood.go). Rates are set and not "as fast as can be": attackers share the
// machine with the bridge here, and would take its processors from it without
// touching it. What is tried is what a few cheap clients can do to many.
package siege
