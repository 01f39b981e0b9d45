"""Serves transforms to a feed: what a plugin in Python needs besides its stage.

The protocol is plugins/pluginpb/stages.proto, from which generate.sh has made
stages_pb2.py and stages_pb2_grpc.py; docs/plugin-protocol.md explains it.
"""

import json
import math
import os
import signal
import sys
import threading
from concurrent import futures

import grpc

import stages_pb2 as pb
import stages_pb2_grpc as rpc

# Both are given by the protocol.
_COOKIE = ("DATAFEED_PLUGIN", "datafeed.plugin.v1")
_MAX_MESSAGE = 64 << 20

# What may be made of one message, and an answer to which nothing is added any more.
_MAX_MADE = 56 << 20
_MAX_ANSWER = 4 << 20

# So many characters say what is wrong.
_MAX_TEXT = 2000

# Each open stage of a feed takes a thread, and the heartbeat needs one.
_THREADS = 64


class Filtered(Exception):
    """Drops a message on purpose. The text becomes a label: few and constant ones."""


class Permanent(Exception):
    """The message can never be dealt with: it goes to the quarantine."""


class Transient(Exception):
    """A failure that may pass, as OSError and MemoryError are: the message comes again."""


class Problem(Exception):
    """A mistake in the settings: which key, what is wrong, what to write instead."""

    def __init__(self, key, problem, remedy=""):
        super().__init__(f"{key}: {problem}")
        self.key, self.problem, self.remedy = key, problem, remedy


class Message:
    """A message: uuid, payload (bytes) and metadata (a dict of str)."""

    __slots__ = ("uuid", "payload", "metadata")

    def __init__(self, uuid, payload, metadata):
        self.uuid, self.payload, self.metadata = uuid, payload, metadata


class Transform:
    """A stage. A subclass sets name, summary and keys, and overrides the methods."""

    name = ""
    summary = ""
    # Tuples: path, type, default, required, doc. Of keys without a dot the types
    # "text", "number", "whole number" and "true or false" are checked, and defaults are
    # filled in, before __init__ gets the settings.
    keys = ()

    def __init__(self, settings):
        """Takes the settings (a dict), and raises Problem when they are wrong. It does
        no I/O."""

    def transform(self, message):
        """Returns the list of messages that take the place of this one. It raises
        Filtered, Permanent, or Transient (or an OSError, such as of a connection) for
        a failure that may pass: the message then comes again. Anything else is taken
        for a mistake of the stage, and the message goes to the quarantine."""
        raise NotImplementedError

    def close(self):
        """Lets go of what the stage holds."""


class _Servicer(rpc.StagesServicer):
    def __init__(self, name, version, transforms):
        self.name, self.version = name, version
        self.transforms = {t.name: t for t in transforms}

    def Describe(self, request, context):
        return pb.DescribeResponse(
            name=self.name,
            version=self.version,
            stages=[
                pb.Stage(
                    kind=pb.KIND_TRANSFORM,
                    name=t.name,
                    summary=t.summary,
                    keys=[
                        pb.Key(path=path, type=kind, default=default, required=required, doc=doc)
                        for path, kind, default, required, doc in t.keys
                    ],
                )
                for t in self.transforms.values()
            ],
        )

    def Validate(self, request, context):
        try:
            self._make(request.stage, request.configuration).close()
        except Problem as p:
            return pb.ValidateResponse(
                problems=[pb.Problem(key=_text(p.key), problem=_text(p.problem), remedy=_text(p.remedy))]
            )
        except Exception as e:  # pylint: disable=broad-except # a mistake of the stage: who checks the file is to see it
            return pb.ValidateResponse(problems=[pb.Problem(problem=_named(e))])
        return pb.ValidateResponse(use=pb.Use())

    def Heartbeat(self, request, context):
        return pb.HeartbeatResponse()

    def _make(self, stage, configuration):
        made = self.transforms.get(stage)
        if made is None:
            raise Problem("", f"this plugin has no transform {stage}")
        settings = json.loads(configuration or b"{}")
        known = {path.split(".")[0] for path, *_ in made.keys}
        for key in settings:
            if key not in known:
                raise Problem(key, "unknown key", "valid: " + ", ".join(sorted(known)))
        for path, kind, default, required, _ in made.keys:
            if "." not in path and "[" not in path:
                _complete(settings, path, kind, default, required)
        return made(settings)

    def Transform(self, requests, context):
        """One call is one instance of a stage."""
        stage = None
        try:
            for request in requests:
                kind = request.WhichOneof("request")
                if kind == "open":
                    try:
                        stage = self._make(request.open.stage, request.open.configuration)
                    except Exception as e:  # pylint: disable=broad-except # whatever it is, the feed is to know
                        permanent = isinstance(e, Problem)
                        text = _text(e) if permanent else _named(e)
                        yield pb.TransformResponse(opened=pb.Opened(failure=pb.Failure(text=text, permanent=permanent)))
                        return
                    yield pb.TransformResponse(opened=pb.Opened())
                elif kind == "batch":
                    results = _transform(stage, request.batch.messages)
                    yield pb.TransformResponse(made=pb.Made(number=request.batch.number, results=results))
        finally:
            if stage is not None:
                stage.close()


_TYPES = {"text": str, "number": (int, float), "whole number": int, "true or false": bool}


def _complete(settings, key, kind, default, required):
    """Fills in a key's default, or checks what is written."""
    value = settings.get(key)
    if value is None:
        if required:
            raise Problem(key, "required", f"write a {kind}")
        if default:
            settings[key] = default if kind == "text" else json.loads(default)
        return
    if kind not in _TYPES:
        return
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "true or false"):
        raise Problem(key, f"must be a {kind}", "")
    if isinstance(value, float) and not math.isfinite(value):
        raise Problem(key, "must be finite", "")


def _transform(stage, messages):
    """A result for each message; none behind a failure that may pass, and none when the
    answer has become long: the feed sends those messages again."""
    results = []
    length = 0
    for m in messages:
        if length >= _MAX_ANSWER:
            break
        try:
            made = stage.transform(Message(m.uuid, m.payload, dict(m.metadata)))
            if not made:
                raise Permanent("it yielded no message and no reason")
            result = pb.Result(messages=[pb.Message(uuid=o.uuid, payload=o.payload, metadata=o.metadata) for o in made])
            if result.ByteSize() > _MAX_MADE:
                raise Permanent(f"what it made of the message is {result.ByteSize()} bytes long, more than {_MAX_MADE}")
            length += result.ByteSize()
            results.append(result)
        except Filtered as f:
            results.append(pb.Result(filtered=_text(f)))
        except Permanent as p:
            results.append(pb.Result(failure=pb.Failure(text=_text(p), permanent=True)))
        except (Transient, OSError, MemoryError) as e:
            results.append(pb.Result(failure=pb.Failure(text=_named(e))))
            break
        except Exception as e:  # pylint: disable=broad-except # a mistake of the stage: to try again would not mend it
            results.append(pb.Result(failure=pb.Failure(text=_named(e), permanent=True)))
    return results


def _named(error):
    """An exception with its name."""
    return _text(f"{type(error).__name__}: {error}")


def _text(value):
    """A text as the protocol takes it: UTF-8, and not endless."""
    return str(value)[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def serve(name, version, *transforms):
    """Serves the transforms until the feed lets go of the process."""
    if os.environ.get(_COOKIE[0]) != _COOKIE[1]:
        sys.exit(f"{name} {version} is a plugin: a feed starts it. Name it below plugins: in feed.yaml.")
    options = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_THREADS), options=options)
    rpc.add_StagesServicer_to_server(_Servicer(name, version, transforms), server)
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], f"{os.getpid()}.sock")
    if not server.add_insecure_port("unix:" + path):
        sys.exit(f"{name}: cannot listen on {path}")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl+C is for the feed
    server.start()
    # go-plugin's handshake: its own version, the protocol's, and how it is reached.
    # What is printed from now on becomes records of the feed, line by line.
    sys.stdout.reconfigure(line_buffering=True)
    print(f"1|1|unix|{path}|grpc", flush=True)
    stop.wait()
    server.stop(grace=1).wait()
