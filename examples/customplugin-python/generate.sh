#!/usr/bin/env bash
# Generates stages_pb2.py and stages_pb2_grpc.py, which are in the repository: Debian's protobuf-compiler and
# protobuf-compiler-grpc make what its python3-protobuf and python3-grpcio can load.
set -euo pipefail
cd "$(dirname "$0")"
protoc -I ../../plugins/pluginpb --python_out=. --grpc_out=. --plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin stages.proto
