"""Tests of what serves a transform, without a feed: python3 -m unittest"""

import json
import unittest

import stages_pb2 as pb
from datafeed_plugin import Filtered, Message, Permanent, Problem, Transform, Transient, _Servicer, _transform


class Obedient(Transform):
    """Does to a message what the stage was made with."""

    name = "obedient"

    def __init__(self, do):
        super().__init__({})
        self.do = do

    def transform(self, message):
        return self.do(message)


def raises(error):
    def do(_):
        raise error

    return do


def failure(do):
    """What becomes of the first of two messages, and of how many there is a result."""
    results = _transform(Obedient(do), [pb.Message(uuid="1"), pb.Message(uuid="2")])
    return results[0], len(results)


class TransformTest(unittest.TestCase):
    def test_mistake_of_the_author_is_permanent(self):
        """As a panic is in Go: no message holds up those behind it for ever."""
        for error in (OverflowError("too large"), RecursionError("too deep"), KeyError("x"), TypeError(), Permanent("no")):
            with self.subTest(type(error)):
                result, n = failure(raises(error))
                self.assertTrue(result.failure.permanent)
                self.assertEqual(n, 2)
        result, _ = failure(raises(OverflowError("too large")))
        self.assertEqual(result.failure.text, "OverflowError: too large")
        for made in (None, [], 7, [Message("1", "text", {})], [Message("1", b"", {"topic": "\ud800"})]):
            with self.subTest(made):
                self.assertTrue(failure(lambda _, made=made: made)[0].failure.permanent)

    def test_what_may_pass_comes_again(self):
        for error in (ConnectionRefusedError("nobody is there"), TimeoutError(), MemoryError(), Transient("not now")):
            with self.subTest(type(error)):
                result, n = failure(raises(error))
                self.assertFalse(result.failure.permanent)
                self.assertTrue(result.failure.text)
                self.assertEqual(n, 1)

    def test_long_answers_are_divided(self):
        """The feed sends what has no result again: no answer is longer than gRPC lets it be."""
        calls = []

        def grow(m):
            calls.append(m.uuid)
            return [Message(m.uuid, bytes(3 << 20), {})]

        results = _transform(Obedient(grow), [pb.Message(uuid=str(i)) for i in range(5)])
        self.assertEqual(len(results), 2)
        self.assertEqual(calls, ["0", "1"])

    def test_what_is_made_of_one_message_has_a_limit(self):
        result, n = failure(lambda m: [Message(m.uuid, bytes(30 << 20), {})] * (2 if m.uuid == "1" else 1))
        self.assertTrue(result.failure.permanent)
        self.assertRegex(result.failure.text, "^what it made of the message is 629145[0-9][0-9] bytes long, more than 58720256$")
        self.assertEqual(n, 2)

    def test_any_text_can_be_said(self):
        self.assertEqual(failure(raises(Permanent("wrong: \ud800")))[0].failure.text, "wrong: ?")
        self.assertEqual(failure(raises(Filtered("\udfff")))[0].filtered, "?")
        self.assertLess(len(failure(raises(Permanent("long" * 100_000)))[0].failure.text), 10_000)


class ValidateTest(unittest.TestCase):
    def problem(self, error):
        class Refusing(Transform):
            name = "refusing"

            def __init__(self, settings):
                super().__init__(settings)
                raise error

        request = pb.ValidateRequest(kind=pb.KIND_TRANSFORM, stage="refusing", configuration=b"{}")
        return _Servicer("p", "1", (Refusing,)).Validate(request, None).problems[0]

    def test_problem(self):
        problem = self.problem(Problem("unit", "wrong: \ud800", "write bar"))
        self.assertEqual((problem.key, problem.problem, problem.remedy), ("unit", "wrong: ?", "write bar"))

    def test_mistake_of_the_author(self):
        self.assertEqual(self.problem(IndexError("out of range")).problem, "IndexError: out of range")

    def test_keys(self):
        class Keyed(Transform):
            name = "keyed"
            keys = (("field", "text", "value", False, ""), ("factor", "number", "", True, ""), ("times", "whole number", "3", False, ""), ("on", "true or false", "", False, ""))

            def __init__(self, settings):
                super().__init__(settings)
                raise Problem("", json.dumps(settings, sort_keys=True))

        def said(configuration):
            request = pb.ValidateRequest(kind=pb.KIND_TRANSFORM, stage="keyed", configuration=configuration)
            problem = _Servicer("p", "1", (Keyed,)).Validate(request, None).problems[0]
            return problem.key, problem.problem

        self.assertEqual(said(b'{"factor": 2}'), ("", '{"factor": 2, "field": "value", "times": 3}'))
        self.assertEqual(said(b"{}"), ("factor", "required"))
        self.assertEqual(said(b'{"factor": null}'), ("factor", "required"))
        for configuration, key in (
            (b'{"factor": "2"}', "factor"), (b'{"factor": true}', "factor"), (b'{"factor": 1e400}', "factor"), (b'{"factor": 1, "field": 7}', "field"),
            (b'{"factor": 1, "times": 1.5}', "times"), (b'{"factor": 1, "on": 1}', "on"), (b'{"factor": 1, "fild": "x"}', "fild"),
        ):
            with self.subTest(configuration):
                self.assertEqual(said(configuration)[0], key)


if __name__ == "__main__":
    unittest.main()
