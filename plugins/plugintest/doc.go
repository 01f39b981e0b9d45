// Package plugintest proves that the stages of a plugin keep the contracts of package
// feed: in the test's own process, over gRPC through memory, and in a process of
// their own, where the test binary starts itself as the plugin. In the latter two
// each stage also has to go on after the process was killed, as the feed expects it
// to. A process gets no environment, as in a feed.
//
//	func TestMain(m *testing.M) { plugintest.Main(m, "acme", "1.0", factories()...) }
//
//	func TestPlugin(t *testing.T) {
//		plugintest.Run(t, factories(), plugintest.Transform{
//			Name: "scale", Configuration: `{"by": 10}`,
//			Messages: func() []*message.Message { … },
//		})
//	}
//
// [RunBinary] tests a plugin in any language, by its file.
package plugintest
