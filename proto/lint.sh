#!/bin/sh
# Lints the contract by buf's STANDARD and COMMENTS rules (proto/buf.yaml). buf gets a descriptor set made by protoc, so that google/rpc needs no registry.
#
#   proto/lint.sh                   lints
#   proto/lint.sh --breaking FILE   also compares with an earlier descriptor set (proto/lint.sh --output FILE made it): exits non-zero if old callers would break
#   proto/lint.sh --output FILE     only writes the descriptor set
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
PATH=$(dirname "$(command -v "$python")"):$PATH
export PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

common=$("$python" -c 'import pathlib, google.rpc; print(pathlib.Path(google.rpc.__path__[0]).parents[1])')
"$python" -m grpc_tools.protoc --proto_path=proto --proto_path="$common" \
    --include_imports --include_source_info --descriptor_set_out="$work/signer.binpb" proto/signer/v1/*.proto
if [ "${1:-}" = --output ]; then
    cp "$work/signer.binpb" "$2"
    exit 0
fi
buf lint "$work/signer.binpb" --config proto/buf.yaml
if [ "${1:-}" = --breaking ]; then
    buf breaking "$work/signer.binpb" --against "$2" --config proto/buf.yaml
fi
