"""Tests of the transform without a feed: python3 -m unittest"""

import json
import unittest

from datafeed_plugin import Filtered, Message, Permanent, Problem
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("plugin_main", Path(__file__).with_name("__main__.py"))
_main = module_from_spec(_spec)
_spec.loader.exec_module(_main)
Scale = _main.Scale


class ScaleTest(unittest.TestCase):
    def test_multiplies(self):
        made = Scale({"field": "value", "factor": 0.5, "unit": "bar"}).transform(Message("1", b'{"value": 3, "tag": "p"}', {"topic": "t"}))
        self.assertEqual(json.loads(made[0].payload), {"value": 1.5, "tag": "p", "unit": "bar"})
        self.assertEqual((made[0].uuid, made[0].metadata), ("1", {"topic": "t"}))

    def test_refuses(self):
        scale = Scale({"field": "value", "factor": 2})
        for payload in (b"[", b"[]", b'{"value": "x"}', b'{"value": true}', b"", b"[" * 100_000, b'{"value": ' + b"9" * 400 + b"}", b'{"value": 1e400}', b'{"value": 1, "other": NaN}'):
            with self.subTest(payload[:40]), self.assertRaises(Permanent):
                scale.transform(Message("1", payload, {}))
        with self.assertRaises(Filtered):
            scale.transform(Message("1", b"{}", {}))

    def test_settings(self):
        with self.assertRaises(Problem):
            Scale({"field": "", "factor": 1})


if __name__ == "__main__":
    unittest.main()
