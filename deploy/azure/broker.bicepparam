using 'broker.bicep'

param instanceName = 'example-aio'
param customLocationName = 'example-location'
param storageClassName = 'local-path'
