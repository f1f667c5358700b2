#!/bin/sh
# The tracked files as they are here, and the time of the commit: what nobody added is not shipped.
#
#   tools/supply/export.sh FOLDER   fills FOLDER, prints SOURCE_DATE_EPOCH (of an unpacked source archive, without git: the one given)
set -eu
folder=$1
cd "$(dirname "$0")/../.."
mkdir -p "$folder"
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
    [ -z "$(git status --porcelain --untracked-files=no)" ] || echo "these files are not as they were committed" >&2
    git ls-files -z | tar --create --null --verbatim-files-from --files-from=- | tar --extract --directory "$folder"
    git log -1 --format=%ct
else
    tar --create --exclude=./.venv --exclude=./var --exclude=./dist . | tar --extract --directory "$folder"
    echo "${SOURCE_DATE_EPOCH:?no git here: set SOURCE_DATE_EPOCH}"
fi
