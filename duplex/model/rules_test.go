package model

// rule is one that can be broken. Zero breaks none.
type rule uint8

const (
	unbroken rule = iota

	// Messages.
	readerWaitsForLane
	readerWrites
	oneCredit
	overtake
	noGrants
	grantsAtOnce
	callTakenAtItsEnd
	abortKeepsCredit
	abortKeepsGrant
	piecesLast

	// Notifications released before their turn.
	neverEarly
	earlyNotForCalls
	earlyNotForSenders
	earlyNotForOpens
	earlyNotForStreams
	earlyNotOnArrival
	earlyNotOnWait
	earlyNotOnTurn
	earlyAlways
	earlyUnbounded
	earlyForGood
	releasedTwice

	// Streams.
	streamUsesNotificationCredit
	streamsShareCredit
	forgottenIsError
	stopUnanswered
	freedBeforeReset
	staysOwed

	// Shutdown.
	idleNotCompared
	byeWhenIdle
	nestedRefused
	idleOnce
	idleByEdge
	countedAtFirst
	opensUncounted
	anyoneWhileServing
	onlyShutterRefuses
	endDropsUnread
	earlyUncounted

	// Others that would do as well: see TestSpare.
	heardStays
	onlyCallsInFlight
)
