// Package maker is the source of messages that are made in the process, for
// stages that need no broker. It behaves like a queue of one.
//
// A [Source] hands out at most as many unsettled messages as its window allows.
// What is unsettled when a subscription is closed comes again on the next one,
// first and in order, marked as redelivered, with the same bytes. One
// subscription is open at a time. When the [Making] has ended Receive returns
// io.EOF; what was unsettled then still comes again if it is given back.
package maker
