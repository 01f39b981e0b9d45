// A listener for a Mosquitto that hands on what it takes: the overlay "mosquitto" of deploy/k8s. A bridge of Mosquitto has
// no service account token to show, and shows a certificate.
//
// Not compiled by this project's tests, which have no Bicep compiler: they read the file with a small parser of their own
// and compare it with the custom resources in aio/. Run "az bicep build --file relay.bicep" before you deploy it.

@description('Name of the Azure IoT Operations instance.')
param instanceName string

@description('Name of the custom location of the cluster.')
param customLocationName string

@description('Topics that Mosquitto hands on, without the wildcard.')
param topicRoot string

@description('ConfigMap in the namespace of Azure IoT Operations with the authority that signs Mosquitto\'s certificate, and no other certificate.')
param clientAuthority string

var relayName = 'mosquitto-relay'

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

resource listener 'Microsoft.IoTOperations/instances/brokers/listeners@2025-10-01' = {
  parent: broker
  name: relayName
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    serviceType: 'ClusterIp'
    serviceName: 'aio-broker-x509'
    ports: [
      {
        port: 8883
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
                'aio-broker-x509.azure-iot-operations'
                'aio-broker-x509.azure-iot-operations.svc'
                'aio-broker-x509.azure-iot-operations.svc.cluster.local'
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
  name: relayName
  extendedLocation: {
    name: customLocation.id
    type: 'CustomLocation'
  }
  properties: {
    authenticationMethods: [
      {
        method: 'X509'
        x509Settings: {
          trustedClientCaCert: clientAuthority
          // Another certificate of the same authority gets no attribute, and may do nothing.
          authorizationAttributes: {
            relay: {
              subject: 'CN = ${relayName}'
              attributes: {
                datafeed: 'relay'
              }
            }
          }
        }
      }
    ]
  }
}

resource authorization 'Microsoft.IoTOperations/instances/brokers/authorizations@2025-10-01' = {
  parent: broker
  name: relayName
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
                datafeed: 'relay'
              }
            ]
          }
          brokerResources: [
            {
              method: 'Connect'
              clientIds: [
                relayName
              ]
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
