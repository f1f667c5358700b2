#!/bin/sh
# Source archive and wheel of the checked-out commit, made twice: in another folder, under another umask, in another time zone, on another
# day, the second wheel from the first source archive. They must be the same, byte for byte: so anybody can make them again and compare.
#
#   tools/supply/dist.sh FOLDER     exit code 1 when the two differ; nothing new is in FOLDER then
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../.venv/bin/python}
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # build TARGET TREE FOLDER
    (cd "$2" && "$python" -m hatchling build --target "$1" --directory "$3") >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}

SOURCE_DATE_EPOCH=$("$here/export.sh" "$work/one")
export SOURCE_DATE_EPOCH
(
    umask 022
    export TZ=UTC PYTHONHASHSEED=1
    build sdist "$work/one" "$work/first"
    build wheel "$work/one" "$work/first"
)
(
    umask 077
    export TZ=Asia/Ho_Chi_Minh PYTHONHASHSEED=2
    cp -r "$work/one" "$work/a folder elsewhere"
    mkdir "$work/unpacked"
    tar -x -z --strip-components=1 -C "$work/unpacked" -f "$work/first/"*.tar.gz
    find "$work/a folder elsewhere" "$work/unpacked" -exec touch -h -d 2001-02-03 {} +
    build sdist "$work/a folder elsewhere" "$work/second"
    build wheel "$work/unpacked" "$work/second"
)
diff -r "$work/first" "$work/second" >&2 || { echo "two builds of one commit differ" >&2; exit 1; }
mkdir -p "$out"
cp "$work/first"/* "$out/"
(cd "$out" && sha256sum -- *.whl *.tar.gz)
