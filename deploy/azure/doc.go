// Package azure checks the Bicep files beside it, and the custom resources in aio: that they are sound, say the same, grant
// the least, and name what the overlays of deploy/k8s expect. It has tests only.
package azure
