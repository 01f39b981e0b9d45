// Package kube renders trees of Kubernetes objects with kustomize, in this process, and compares what was rendered.
//
// Package typed below it decodes objects strictly, as an API server with field validation would, and package policy holds
// the rules that the objects of this project keep.
package kube
