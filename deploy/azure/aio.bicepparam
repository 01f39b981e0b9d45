using 'aio.bicep'

param instanceName = 'example-aio'
param customLocationName = 'example-location'
param topicRoot = 'kraft'
param cloudLeg = 'archive' // as in the overlays of deploy/k8s
param storageAccountName = 'exampledatafeed'
param containerName = 'telemetry'
param schemaRegistryName = 'example-schemas'
param extensionPrincipalId = '00000000-0000-0000-0000-000000000000'
