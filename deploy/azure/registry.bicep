// A token of the registry that pulls the feed's images and can do nothing else.
//
// Not compiled by this project's tests, which have no Bicep compiler: they read the file with a small parser of their own
// and compare it with what is deployed. Run "az bicep build --file registry.bicep" before you deploy it.
//
// The password is made afterwards, so that it stands in no deployment: docs/azure.md.

@description('Name of the registry, without .azurecr.io.')
param registryName string

@description('Repositories of the images that the feed is made of.')
param repositories string[]

@description('Name of the site: a token for each, so that one can be taken away.')
param siteName string

var pull = [for repository in repositories: [
  'repositories/${repository}/content/read'
  'repositories/${repository}/metadata/read'
]]

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource scopeMap 'Microsoft.ContainerRegistry/registries/scopeMaps@2023-07-01' = {
  parent: registry
  name: 'datafeed-pull'
  properties: {
    description: 'Pull the images of the data feed.'
    actions: flatten(pull)
  }
}

resource token 'Microsoft.ContainerRegistry/registries/tokens@2023-07-01' = {
  parent: registry
  name: 'datafeed-${siteName}'
  properties: {
    scopeMapId: scopeMap.id
    status: 'enabled'
  }
}
