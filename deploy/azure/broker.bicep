// The MQTT broker of Azure IoT Operations with a volume of 5 GiB.
//
// Not compiled by this project's tests, which have no Bicep compiler: they read the file with a small parser of their own
// and compare it with aio/broker.yaml. Run "az bicep build --file broker.bicep" before you deploy it.
//
// A broker gets its volume when it is created. It cannot be added, grown or taken away later, so deploy this file with
// the instance and before anything else, or say the same to the command that makes the instance:
//
//   az iot ops create … --persist-max-size 5Gi --persist-pvc-sc STORAGECLASS --persist-mode retain=All subscriberQueue=All

@description('Name of the Azure IoT Operations instance.')
param instanceName string

@description('Name of the custom location of the cluster.')
param customLocationName string

@description('Storage class of the volume: one of local disks. The cluster\'s default class is a network\'s in most clusters.')
param storageClassName string

resource customLocation 'Microsoft.ExtendedLocation/customLocations@2021-08-15' existing = {
  name: customLocationName
}

resource instance 'Microsoft.IoTOperations/instances@2025-10-01' existing = {
  name: instanceName
}

resource broker 'Microsoft.IoTOperations/instances/brokers@2025-10-01' = {
  parent: instance
  name: 'default' // There is one broker to an instance, and this is its name.
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    memoryProfile: 'Low'
    generateResourceLimits: {
      cpu: 'Disabled'
    }
    cardinality: {
      // Two copies of each partition: one pod may go without losing what was acknowledged.
      backendChain: {
        partitions: 1
        redundancyFactor: 2
        workers: 1
      }
      frontend: {
        replicas: 1
        workers: 1
      }
    }
    persistence: {
      maxSize: '5Gi'
      persistentVolumeClaimSpec: {
        storageClassName: storageClassName
        accessModes: [
          'ReadWriteOncePod' // the only one that the broker takes
        ]
      }
      // Without these only sessions are kept, not what waits in them.
      subscriberQueue: {
        mode: 'All'
      }
      retain: {
        mode: 'All'
      }
      stateStore: {
        mode: 'None'
      }
    }
  }
}
