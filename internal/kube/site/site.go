// Package site reads rendered objects as what they are together: workloads with what is mounted into them. It is for tests.
package site

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/typed"
)

// A Site is what one overlay renders, by type and name. All but the namespaces stand in one namespace.
type Site struct {
	Namespace       string
	Objects         []kube.Object // as they were rendered
	Namespaces      map[string]*corev1.Namespace
	Workloads       map[string]*Workload
	Services        map[string]*corev1.Service
	ServiceAccounts map[string]*corev1.ServiceAccount
	ConfigMaps      map[string]*corev1.ConfigMap
	Secrets         map[string]*corev1.Secret
	Claims          map[string]*corev1.PersistentVolumeClaim
	NetworkPolicies map[string]*networkingv1.NetworkPolicy
	Budgets         map[string]*policyv1.PodDisruptionBudget
	Monitors        map[string]*typed.PodMonitor
	Rules           map[string]*typed.PrometheusRule
	Issuers         map[string]*typed.Issuer
	Certificates    map[string]*typed.Certificate
}

// A Workload is what makes pods.
type Workload struct {
	Kind        string // Deployment, StatefulSet or CronJob
	Name        string
	Replicas    int32
	Strategy    string // of a Deployment
	ServiceName string // of a StatefulSet
	Selector    map[string]string
	Pod         *corev1.PodTemplateSpec
	Claims      []corev1.PersistentVolumeClaim // of a StatefulSet
}

// Runs reports whether its pods run all the time, as those of jobs do not.
func (w *Workload) Runs() bool { return w.Kind == "Deployment" || w.Kind == "StatefulSet" }

// Containers returns all of the pod's containers, those that initialize it first.
func (w *Workload) Containers() []corev1.Container {
	return slices.Concat(w.Pod.Spec.InitContainers, w.Pod.Spec.Containers)
}

// New decodes objects, strictly. Two of one type and name, and objects of another namespace, are errors.
func New(namespace string, objects []kube.Object) (*Site, error) {
	s := &Site{
		Namespace:       namespace,
		Objects:         objects,
		Namespaces:      map[string]*corev1.Namespace{},
		Workloads:       map[string]*Workload{},
		Services:        map[string]*corev1.Service{},
		ServiceAccounts: map[string]*corev1.ServiceAccount{},
		ConfigMaps:      map[string]*corev1.ConfigMap{},
		Secrets:         map[string]*corev1.Secret{},
		Claims:          map[string]*corev1.PersistentVolumeClaim{},
		NetworkPolicies: map[string]*networkingv1.NetworkPolicy{},
		Budgets:         map[string]*policyv1.PodDisruptionBudget{},
		Monitors:        map[string]*typed.PodMonitor{},
		Rules:           map[string]*typed.PrometheusRule{},
		Issuers:         map[string]*typed.Issuer{},
		Certificates:    map[string]*typed.Certificate{},
	}
	for _, object := range objects {
		value, err := typed.Decode(object)
		if err != nil {
			return nil, err
		}
		if object.Namespace != namespace && object.Kind != "Namespace" {
			return nil, fmt.Errorf("%s: it does not stand in the namespace %s", object.ID(), namespace)
		}
		if !s.add(value) {
			return nil, fmt.Errorf("%s: there are two of that name, or nobody knows what it is for", object.ID())
		}
	}
	return s, nil
}

func (s *Site) add(value any) bool {
	switch v := value.(type) {
	case *corev1.Namespace:
		return put(s.Namespaces, v.Name, v)
	case *corev1.Service:
		return put(s.Services, v.Name, v)
	case *corev1.ServiceAccount:
		return put(s.ServiceAccounts, v.Name, v)
	case *corev1.ConfigMap:
		return put(s.ConfigMaps, v.Name, v)
	case *corev1.Secret:
		return put(s.Secrets, v.Name, v)
	case *corev1.PersistentVolumeClaim:
		return put(s.Claims, v.Name, v)
	case *networkingv1.NetworkPolicy:
		return put(s.NetworkPolicies, v.Name, v)
	case *policyv1.PodDisruptionBudget:
		return put(s.Budgets, v.Name, v)
	case *typed.PodMonitor:
		return put(s.Monitors, v.Name, v)
	case *typed.PrometheusRule:
		return put(s.Rules, v.Name, v)
	case *typed.Issuer:
		return put(s.Issuers, v.Name, v)
	case *typed.Certificate:
		return put(s.Certificates, v.Name, v)
	case *appsv1.Deployment:
		return put(s.Workloads, v.Name, &Workload{Kind: "Deployment", Name: v.Name, Replicas: replicas(v.Spec.Replicas),
			Strategy: string(v.Spec.Strategy.Type), Selector: v.Spec.Selector.MatchLabels, Pod: &v.Spec.Template})
	case *appsv1.StatefulSet:
		return put(s.Workloads, v.Name, &Workload{Kind: "StatefulSet", Name: v.Name, Replicas: replicas(v.Spec.Replicas),
			ServiceName: v.Spec.ServiceName, Selector: v.Spec.Selector.MatchLabels, Pod: &v.Spec.Template, Claims: v.Spec.VolumeClaimTemplates})
	case *batchv1.CronJob:
		return put(s.Workloads, v.Name, &Workload{Kind: "CronJob", Name: v.Name, Replicas: 1, Pod: &v.Spec.JobTemplate.Spec.Template})
	}
	return false
}

// replicas returns 1 for nil, as the API does.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func put[T any](all map[string]T, name string, value T) bool {
	if _, there := all[name]; there {
		return false
	}
	all[name] = value
	return true
}

// Sorted returns the values of a map in the order of their keys.
func Sorted[T any](all map[string]T) []T {
	var values []T
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values = append(values, all[name])
	}
	return values
}
