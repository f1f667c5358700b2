#!/bin/sh
# Generates signer/v1 from proto/signer/v1: messages, services and their type stubs.
#
#   proto/generate.sh           writes signer/v1
#   proto/generate.sh --check   writes nothing; exits 1 with the difference if signer/v1 is not what the contract generates
#
# PYTHON names the interpreter with grpcio-tools and mypy-protobuf; default: the project's virtual environment.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
PATH=$(dirname "$(command -v "$python")"):$PATH
export PATH

generate() { # OUTPUT_DIRECTORY
    # google/rpc comes with googleapis-common-protos, google/protobuf with grpcio-tools.
    common=$("$python" -c 'import pathlib, google.rpc; print(pathlib.Path(google.rpc.__path__[0]).parents[1])')
    mkdir -p "$1"
    "$python" -m grpc_tools.protoc --proto_path=proto --proto_path="$common" \
        --python_out="$1" --grpc_python_out="$1" \
        --mypy_out="quiet:$1" --mypy_grpc_out="quiet,generate_concrete_servicer_stubs:$1" \
        proto/signer/v1/*.proto
    for each in "$1"/signer/v1/*_pb2_grpc.py; do # files without a service generate nothing that anyone imports
        grep -q '^class ' "$each" || rm -f "$each" "${each}i"
    done
    printf '"""Generated from proto/signer/v1 by proto/generate.sh: do not edit. Seen by the gRPC door and the client only."""\n' >"$1/signer/v1/__init__.py"
}

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
generate "$fresh"
if [ "${1:-}" = --check ]; then
    diff -r -u --exclude=__pycache__ signer/v1 "$fresh/signer/v1" || {
        echo "signer/v1 differs from proto/: run proto/generate.sh and commit the result" >&2
        exit 1
    }
    exit 0
fi
mkdir -p signer/v1
find signer/v1 -maxdepth 1 -type f -delete
cp "$fresh"/signer/v1/* signer/v1/
