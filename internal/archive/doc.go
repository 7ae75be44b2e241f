// Package archive reads files of Segment calls, one JSON object a line: what
// Segment's storage destinations write (segment-docs, connections/storage,
// "Amazon S3": gzipped, newline-separated JSON, one file after the other below
// segment-logs/{source-id}/{received-day}/), and any other NDJSON.
//
//	Files(paths) ──▶ File ──Open──▶ Reader ──Next──▶ Line
//	 folders walked,  whether it is gzip says         its number, its bytes
//	 in sorted order  the content, not the name
//
// # Going on
//
// Who stops in the middle wants to go on there. A number of lines alone would
// skip the wrong ones where a file of that name has other content by then, so a
// Reader also has a digest of all lines up to where it is: only if both are as
// they were have the lines before been read.
//
// # Failure handling
//
// A line is bytes; whether they are a call is for others to judge. A line longer
// than any call is returned cut, and says so. A file that breaks off, such as
// gzip that was not downloaded whole, gives its lines first and then an error.
package archive
