using 'identity.bicep'

param storageAccountName = 'exampledatafeed'
param containerName = 'telemetry'
param issuerUrl = 'https://oidc.example.com/cluster'
param siteName = 'example-a'
param namespaceName = 'st-one'
param location = 'westeurope'
