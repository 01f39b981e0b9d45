// What the data feed needs of Azure IoT Operations: a listener with its own authentication and authorization, through
// which bridge publishes, and the data flow that writes what is published to storage.
//
// Not compiled by this project's tests, which have no Bicep compiler: they read the file with a small parser of their own
// and compare it with the custom resources in aio/. Run "az bicep build --file aio.bicep" before you deploy it.

@description('Name of the Azure IoT Operations instance.')
param instanceName string

@description('Name of the custom location of the cluster.')
param customLocationName string

@description('Topics that bridge publishes, without the wildcard.')
param topicRoot string

@description('Who writes to storage. Each topic has one way to the cloud: "dataflow" is the data flow below, and the site does without archive; "archive" is the feed\'s own, and there is no data flow.')
@allowed([
  'dataflow'
  'archive'
])
param cloudLeg string

@description('Storage account with a hierarchical namespace.')
param storageAccountName string

@description('Container for the readings. A data flow does not create it.')
param containerName string

@description('Name of the schema registry of the instance.')
param schemaRegistryName string

@description('Object id of the identity of the Azure IoT Operations extension: az k8s-extension show … --query identity.principalId')
param extensionPrincipalId string

// Storage Blob Data Contributor.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

var listenerName = 'datafeed'
var schemaName = 'datafeed-reading'

resource customLocation 'Microsoft.ExtendedLocation/customLocations@2021-08-15' existing = {
  name: customLocationName
}

resource instance 'Microsoft.IoTOperations/instances@2025-10-01' existing = {
  name: instanceName
}

resource broker 'Microsoft.IoTOperations/instances/brokers@2025-10-01' existing = {
  parent: instance
  name: 'default'
}

resource profile 'Microsoft.IoTOperations/instances/dataflowProfiles@2025-10-01' existing = {
  parent: instance
  name: 'default'
}

resource localBroker 'Microsoft.IoTOperations/instances/dataflowEndpoints@2025-10-01' existing = {
  parent: instance
  name: 'default'
}

// A listener of its own: authorization on the default listener would shut out the data flows, which connect there.
resource listener 'Microsoft.IoTOperations/instances/brokers/listeners@2025-10-01' = {
  parent: broker
  name: listenerName
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    serviceType: 'ClusterIp'
    serviceName: 'aio-broker-datafeed'
    ports: [
      {
        port: 18884 // 18883 is the default listener's, in the same pods
        protocol: 'Mqtt'
        authenticationRef: authentication.name
        authorizationRef: authorization.name
        tls: {
          mode: 'Automatic'
          certManagerCertificateSpec: {
            issuerRef: {
              name: 'azure-iot-operations-aio-certificate-issuer'
              kind: 'ClusterIssuer'
              group: 'cert-manager.io'
            }
            san: {
              dns: [
                'aio-broker-datafeed.azure-iot-operations'
                'aio-broker-datafeed.azure-iot-operations.svc'
                'aio-broker-datafeed.azure-iot-operations.svc.cluster.local'
              ]
              ip: []
            }
          }
        }
      }
    ]
  }
}

resource authentication 'Microsoft.IoTOperations/instances/brokers/authentications@2025-10-01' = {
  parent: broker
  name: listenerName
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    authenticationMethods: [
      {
        method: 'ServiceAccountToken'
        serviceAccountTokenSettings: {
          audiences: [
            'aio-internal' // of the token that the kubelet projects into bridge's pod
          ]
        }
      }
    ]
  }
}

// Who is not named may do nothing. The attribute is the annotation aio-broker-auth/datafeed of the ServiceAccount.
resource authorization 'Microsoft.IoTOperations/instances/brokers/authorizations@2025-10-01' = {
  parent: broker
  name: listenerName
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    authorizationPolicies: {
      cache: 'Enabled'
      rules: [
        {
          principals: {
            attributes: [
              {
                datafeed: 'bridge'
              }
            ]
          }
          brokerResources: [
            {
              method: 'Connect'
            }
            {
              method: 'Publish'
              topics: [
                '${topicRoot}/#'
              ]
            }
          ]
        }
      ]
    }
  }
}

resource schemaRegistry 'Microsoft.DeviceRegistry/schemaRegistries@2024-09-01-preview' existing = {
  name: schemaRegistryName
}

resource schema 'Microsoft.DeviceRegistry/schemaRegistries/schemas@2024-09-01-preview' = if (cloudLeg == 'dataflow') {
  parent: schemaRegistry
  name: schemaName
  properties: {
    displayName: schemaName
    format: 'Delta/1.0'
    schemaType: 'MessageSchema'
  }
}

resource schemaVersion 'Microsoft.DeviceRegistry/schemaRegistries/schemas/schemaVersions@2024-09-01-preview' = if (cloudLeg == 'dataflow') {
  parent: schema
  name: '1'
  properties: {
    schemaContent: loadTextContent('aio/reading.delta.json')
  }
}

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

// On the container, not on the account.
resource mayWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (cloudLeg == 'dataflow') {
  scope: container
  name: guid(container.id, extensionPrincipalId, blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: extensionPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource storageEndpoint 'Microsoft.IoTOperations/instances/dataflowEndpoints@2025-10-01' = if (cloudLeg == 'dataflow') {
  parent: instance
  name: 'datafeed-storage'
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    endpointType: 'DataLakeStorage'
    dataLakeStorageSettings: {
      host: 'https://${storageAccountName}.blob.${environment().suffixes.storage}'
      authentication: {
        method: 'SystemAssignedManagedIdentity'
        systemAssignedManagedIdentitySettings: {}
      }
      batching: {
        latencySeconds: 60
        maxMessages: 100000
      }
    }
  }
  dependsOn: [
    mayWrite
  ]
}

resource dataflow 'Microsoft.IoTOperations/instances/dataflowProfiles/dataflows@2025-10-01' = if (cloudLeg == 'dataflow') {
  parent: profile
  name: 'datafeed'
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    mode: 'Enabled'
    requestDiskPersistence: 'Enabled' // what waits for the cloud stands on the broker's volume
    operations: [
      {
        operationType: 'Source'
        sourceSettings: {
          endpointRef: localBroker.name
          dataSources: [
            '${topicRoot}/#'
          ]
          serializationFormat: 'Json'
        }
      }
      {
        operationType: 'BuiltInTransformation'
        builtInTransformationSettings: {
          serializationFormat: 'Parquet'
          schemaRef: 'aio-sr://${schemaName}:1'
          map: [
            {
              type: 'PassThrough'
              inputs: [
                '*'
              ]
              output: '*'
            }
          ]
        }
      }
      {
        operationType: 'Destination'
        destinationSettings: {
          endpointRef: storageEndpoint.name
          dataDestination: containerName
        }
      }
    ]
  }
  dependsOn: [
    schemaVersion
  ]
}
