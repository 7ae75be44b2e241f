// Package notify tells people when a bridge needs them, and when it does not any
// more, by posting to a webhook such as Slack's.
//
//	State ─▶ judge ─▶ alerts ─▶ book ─▶ messages ─▶ post
//	every 10 s  pure: what is      pure: what is
//	            wrong now          news about it
//
// What is wrong is judged anew each time, from how things stand and nothing else. The
// book compares it with what people were told: they get one message when something
// begins, one when it is over, and one a day while it lasts. It begins when it has
// lasted for a minute or so, and is over when it has been away for as long, or, if it
// comes back within an hour, when it has been away for an hour. So what comes and goes
// is one story, however short the breaks.
//
// A message holds no event, nothing of a person, and no answer of a destination: only
// names from the settings, times, numbers, and the sentences of reasons.
//
// # Failure handling
//
//	the webhook is down, or throttles  the message is tried again for an hour
//	the webhook refuses it             it is dropped, and the log says so
//	more messages than can be sent     the oldest are dropped
//	the program is started again       what is wrong still is told once more
package notify
