using 'registry.bicep'

param registryName = 'example'
param siteName = 'example-a'
param repositories = [
  'datafeed/feed'
  'datafeed/rabbitmq'
  'datafeed/timescaledb'
  'datafeed/mosquitto'
]
