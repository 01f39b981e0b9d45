package wire

// The fields of stages.proto that are encoded and decoded by hand.
const (
	requestBatch       = 2 // TransformRequest.batch, SinkRequest.publish
	responseMade       = 2 // TransformResponse.made
	responseDeliveries = 3 // SourceResponse.deliveries

	batchNumber   = 1
	batchMessages = 2
	batchReceived = 3

	messageUUID     = 1
	messagePayload  = 2
	messageMetadata = 3
	entryKey        = 1
	entryValue      = 2

	changedUUID     = messageUUID
	changedPayload  = messagePayload
	changedMetadata = messageMetadata
	changedRemoved  = 4

	madeNumber      = 1
	madeResults     = 2
	madeMore        = 3
	resultMessages  = 1
	resultFiltered  = 2
	resultFailure   = 3
	resultChanged   = 4
	failureText     = 1
	failureForever  = 2
	failureFatal    = 3
	failureTextLong = 16 << 10 // of which no more is sent, in bytes

	deliveriesDelivery  = 1
	deliveryMessage     = 1
	deliveryTag         = 2
	deliveryRedelivered = 3
)
