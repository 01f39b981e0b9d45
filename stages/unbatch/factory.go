package unbatch

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the unbatch transform.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.TransformFactory("unbatch", "Unpacks batches of readings, one message for each reading; quarantines those that are not whole or contradict an earlier one.", DefaultConfig,
			func(c Config, env feed.StageEnv) (feed.Transform, error) {
				u, err := NewUnbatch(c, env)
				if err != nil {
					return feed.Transform{}, err
				}
				return u.Transform(), nil
			}),
	}
}
