// Package migrations owns the tables that verobridge keeps for itself, in the
// schema verobridge. The tables of sources are not here: the warehouse package
// makes those as data arrives.
//
//	deliveries       what became of each event at each destination
//	rejected_events  each event refused at the door inside an accepted request
//	loads            the latest load of each schema
//	identities       who anonymous visitors are
//	held_events      each event that waits for its visitor to identify
//	suppressions     each erased person, as salted hashes; suppression_salt
//	erasures         the receipt of each erasure
//	imports          how far imports of older data have come
//	destinations     how each destination stands; sources, routes
//	refusals         a sample of the requests refused as a whole
//	unaccounted      a view of the events whose fate nobody knows: none
//
// A migration is one numbered SQL file, applied in one transaction and never
// edited after a release. goose keeps the list of those applied in
// verobridge.goose_db_version. What a migration makes it makes "if not exists",
// so that a table that was dropped by hand is made again, empty, and the others
// stay as they are.
//
// # Failure handling
//
// Several programs may start at once on one database: a session advisory lock
// lets one migrate while the others wait. A migration that fails is rolled back
// and tried again by the next Up.
package migrations
