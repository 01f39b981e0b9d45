#!/usr/bin/env bash
# Generates the Go code of the plugins' protocol (plugins/pluginpb) from stages.proto. Needs protoc (Debian: protobuf-compiler);
# the two programs that protoc calls are installed into .cache/bin in the versions that are named here.
set -euo pipefail
cd "$(dirname "$0")/.."

protoc_gen_go=v1.36.11
protoc_gen_go_grpc=v1.6.0

command -v protoc >/dev/null || {
	echo "there is no protoc: install it, on Debian with apt-get install protobuf-compiler" >&2
	exit 1
}
bin=$PWD/.cache/bin
[[ $("$bin/protoc-gen-go" --version 2>/dev/null) == *" $protoc_gen_go" ]] ||
	GOBIN=$bin go install "google.golang.org/protobuf/cmd/protoc-gen-go@$protoc_gen_go"
[[ v$("$bin/protoc-gen-go-grpc" --version 2>/dev/null | awk '{print $2}') == "$protoc_gen_go_grpc" ]] ||
	GOBIN=$bin go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$protoc_gen_go_grpc"

cd plugins/pluginpb
PATH=$bin:$PATH protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative stages.proto
