using 'registry.bicep'

param registryName = 'exampleregistry'
param siteName = 'example-a'
param repositories = [
  'st-one/datafeed'
  'st-one/rabbitmq'
  'st-one/timescaledb'
  'st-one/eclipse-mosquitto'
]
