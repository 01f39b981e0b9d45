// The identities with which the feed writes to and reads from Blob Storage, without a secret: Azure trusts the tokens that
// the cluster gives to two ServiceAccounts (workload identity).
//
// Not compiled by this project's tests, which have no Bicep compiler: they read the file with a small parser of their own.
// Run "az bicep build --file identity.bicep" before you deploy it.

@description('Storage account.')
param storageAccountName string

@description('Container for the readings. archive may not create it.')
param containerName string

@description('Issuer of the cluster\'s tokens: az connectedk8s show … --query oidcIssuerProfile.issuerUrl')
param issuerUrl string

@description('Name of the site, part of the identities\' names: each site has its own.')
param siteName string

@description('Namespace of the feed.')
param namespaceName string

param location string = resourceGroup().location

// Storage Blob Data Contributor, Storage Blob Data Reader.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  parent: storage
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobService
  name: containerName
}

resource archive 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'datafeed-${siteName}-archive'
  location: location
}

resource archiveTrusts 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: archive
  name: 'archive'
  properties: {
    issuer: issuerUrl
    subject: 'system:serviceaccount:${namespaceName}:archive'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

resource archiveMayWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, archive.id, blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: archive.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource validate 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'datafeed-${siteName}-validate'
  location: location
}

resource validateTrusts 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: validate
  name: 'validate'
  properties: {
    issuer: issuerUrl
    subject: 'system:serviceaccount:${namespaceName}:validate'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

// What judges must not be able to change what it judges.
resource validateMayRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, validate.id, blobDataReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    principalId: validate.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

@description('For the annotation azure.workload.identity/client-id of the ServiceAccount archive.')
output archiveClientId string = archive.properties.clientId

@description('For the annotation azure.workload.identity/client-id of the ServiceAccount validate.')
output validateClientId string = validate.properties.clientId
