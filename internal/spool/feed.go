package spool

// feed is what a drain reads: a stream, and the name by which the drain keeps
// where it is in it and what waits in its retry lane.
type feed struct {
	stream string
	reader string
	// asked says that people asked for each event, so that none is passed over
	// without a word.
	asked bool
}

// liveFeed is what comes in.
func liveFeed(destination string) feed {
	return feed{stream: eventsStream, reader: destination}
}

// replayFeed is what is to be sent to a destination again. Its reader has a sign
// in it that names of destinations do not have.
func replayFeed(destination string) feed {
	return feed{stream: replayStream + destination, reader: destination + "-replay", asked: true}
}
