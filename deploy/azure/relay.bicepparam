using 'relay.bicep'

param instanceName = 'example-aio'
param customLocationName = 'example-location'
param topicRoot = 'kraft'
param clientAuthority = 'mosquitto-relay-ca'
