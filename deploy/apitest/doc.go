// Package apitest shows what deploy/ ships to a real Kubernetes API server, which checks what no decoder knows: names,
// limits, what may not be changed later, the Pod Security level "restricted", the definitions of custom resources.
//
// Etcd and kube-apiserver are built from the modules that the directory servers requires, into .cache/bin of the repository,
// once for each version: twelve minutes of one processor, six on two that have nothing else to do. It takes 1.6 GB of disk:
// 0.7 GB for modules, 0.8 GB in Go's build cache, 0.1 GB for the programs. After that the tests take two minutes.
//
// Two modules, as what Kubernetes requires contradicts what the feed requires. Nothing here is imported by the feed.
package apitest
