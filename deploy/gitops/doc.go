// Package gitops goes through docs/fleet.md with the trees for Flux and Argo CD beside it, and compares what the agents
// would apply with what kustomize builds. It has tests only.
package gitops
