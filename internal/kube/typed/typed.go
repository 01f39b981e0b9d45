// Package typed decodes objects of Kubernetes into the types of its API. It is for tests: the types are too much for a
// binary that only renders.
package typed

import (
	"fmt"
	"reflect"

	"github.com/kraft-edge/datafeed/internal/kube"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// kinds are the objects that the project deploys: those of Kubernetes, and custom resources of others.
var kinds = map[string]any{
	"v1 ConfigMap":                             corev1.ConfigMap{},
	"v1 Namespace":                             corev1.Namespace{},
	"v1 PersistentVolumeClaim":                 corev1.PersistentVolumeClaim{},
	"v1 Secret":                                corev1.Secret{},
	"v1 Service":                               corev1.Service{},
	"v1 ServiceAccount":                        corev1.ServiceAccount{},
	"apps/v1 Deployment":                       appsv1.Deployment{},
	"apps/v1 StatefulSet":                      appsv1.StatefulSet{},
	"batch/v1 CronJob":                         batchv1.CronJob{},
	"networking.k8s.io/v1 NetworkPolicy":       networkingv1.NetworkPolicy{},
	"policy/v1 PodDisruptionBudget":            policyv1.PodDisruptionBudget{},
	"rbac.authorization.k8s.io/v1 Role":        rbacv1.Role{},
	"rbac.authorization.k8s.io/v1 RoleBinding": rbacv1.RoleBinding{},
	"monitoring.coreos.com/v1 PodMonitor":      PodMonitor{},
	"monitoring.coreos.com/v1 PrometheusRule":  PrometheusRule{},
	"cert-manager.io/v1 Certificate":           Certificate{},
	"cert-manager.io/v1 Issuer":                Issuer{},
}

// Decode returns a pointer to a value of the object's type. A field that the type does not have, one that stands there
// twice, and a type that this package does not know are errors.
func Decode(object kube.Object) (any, error) {
	kind, known := kinds[object.APIVersion+" "+object.Kind]
	if !known {
		return nil, fmt.Errorf("%s: no type is known for it", object.ID())
	}
	value := reflect.New(reflect.TypeOf(kind)).Interface()
	if err := yaml.UnmarshalStrict(object.YAML, value); err != nil {
		return nil, fmt.Errorf("%s: %w", object.ID(), err)
	}
	return value, nil
}
