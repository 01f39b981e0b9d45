package azure_test

import (
	"strings"
	"testing"
)

// versions are the API versions that Microsoft has published, of the types that these files name.
var versions = map[string]string{
	"Microsoft.IoTOperations/instances":                                             "2025-10-01",
	"Microsoft.IoTOperations/instances/brokers":                                     "2025-10-01",
	"Microsoft.IoTOperations/instances/brokers/listeners":                           "2025-10-01",
	"Microsoft.IoTOperations/instances/brokers/authentications":                     "2025-10-01",
	"Microsoft.IoTOperations/instances/brokers/authorizations":                      "2025-10-01",
	"Microsoft.IoTOperations/instances/dataflowEndpoints":                           "2025-10-01",
	"Microsoft.IoTOperations/instances/dataflowProfiles":                            "2025-10-01",
	"Microsoft.IoTOperations/instances/dataflowProfiles/dataflows":                  "2025-10-01",
	"Microsoft.DeviceRegistry/schemaRegistries":                                     "2024-09-01-preview",
	"Microsoft.DeviceRegistry/schemaRegistries/schemas":                             "2024-09-01-preview",
	"Microsoft.DeviceRegistry/schemaRegistries/schemas/schemaVersions":              "2024-09-01-preview",
	"Microsoft.ExtendedLocation/customLocations":                                    "2021-08-15",
	"Microsoft.Storage/storageAccounts":                                             "2023-05-01",
	"Microsoft.Storage/storageAccounts/blobServices":                                "2023-05-01",
	"Microsoft.Storage/storageAccounts/blobServices/containers":                     "2023-05-01",
	"Microsoft.Authorization/roleAssignments":                                       "2022-04-01",
	"Microsoft.ManagedIdentity/userAssignedIdentities":                              "2023-01-31",
	"Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": "2023-01-31",
	"Microsoft.ContainerRegistry/registries":                                        "2023-07-01",
	"Microsoft.ContainerRegistry/registries/scopeMaps":                              "2023-07-01",
	"Microsoft.ContainerRegistry/registries/tokens":                                 "2023-07-01",
}

func TestEveryBicepFileIsSoundAndOfPublishedVersions(t *testing.T) {
	for _, name := range []string{"broker", "aio", "relay", "identity", "registry"} {
		d, err := load(".", name, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, r := range d.resources {
			if want := versions[r.kind]; r.version != want {
				t.Errorf("%s.bicep: %s is of version %s of %s, which should be %q", name, r.symbol, r.version, r.kind, want)
			}
			if location, ok := r.body["extendedLocation"].(map[string]any); strings.HasPrefix(r.kind, "Microsoft.IoTOperations/") && !r.existing {
				if !ok || location["type"] != "CustomLocation" || location["name"] != "customLocation.id" {
					t.Errorf("%s.bicep: %s is not in the cluster's custom location but in %v", name, r.symbol, location)
				}
			}
		}
	}
}

func TestDamagedBicepIsRefused(t *testing.T) {
	const sound = `
param place string
resource a 'X/a@1' existing = {
  name: place
}
resource b 'X/a/b@1' = if (place == 'here') {
  parent: a
  name: '${place}-b' // one
  properties: {
    list: [
      1
      'two', true
    ]
  }
}
`
	const parameters = "using 'x.bicep'\nparam place = 'here'\n"
	d, err := evaluate(".", "x", sound, parameters, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b := d.resource("b"); b.name != "here-b" || b.left {
		t.Fatalf("%+v", b)
	}
	for _, c := range []struct{ what, from, to, want string }{
		{"a brace is missing", "    ]\n  }\n", "    ]\n", `"" is no key`},
		{"a bracket is missing", "    ]\n", "", `"}" begins no value`},
		{"a quote is missing", "'two'", "'two", "does not end on its line"},
		{"a hole is open", "${place}-b'", "${place-b'", "does not end"},
		{"two entries on a line", "1\n", "1 ", `"two" does not belong here`},
		{"a name that nobody has", "${place}", "${plaice}", "nothing is called plaice"},
		{"a parent that nobody is", "parent: a", "parent: c", "no resource"},
		{"a parent of another type", "'X/a/b@1'", "'X/c/b@1'", "its parent a X/a"},
		{"a child without a parent", "  parent: a\n", "", "has no parent"},
		{"a key twice", "parent: a", "parent: a\n  parent: a", "stands twice"},
		{"an unknown key", "properties:", "property:", "has a key property"},
		{"no version", "X/a/b@1", "X/a/b", "has no version"},
		{"an unused parameter", "param place string", "param place string\nparam other string = 'x'", "nothing uses other"},
		{"a parameter without a value", "param place string", "param place string\nparam other string", "other has no value"},
		{"a declaration twice", "resource b", "resource a", "declared twice"},
		{"a condition that is none", "place == 'here'", "place", "neither true nor false"},
	} {
		t.Run(c.what, func(t *testing.T) {
			damaged := strings.Replace(sound, c.from, c.to, 1)
			if damaged == sound {
				t.Fatalf("%q is not in the file", c.from)
			}
			if _, err := evaluate(".", "x", damaged, parameters, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, without %q", err, c.want)
			}
		})
	}
	if _, err := evaluate(".", "x", sound, strings.Replace(parameters, "place", "plaice", 1), nil); err == nil {
		t.Error("a parameter that the file does not have is taken")
	}
}
