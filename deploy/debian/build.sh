#!/bin/sh
# The Debian package of the checked-out commit, for Debian 12 on this machine's architecture; the same bytes at any time.
#
#   deploy/debian/build.sh FOLDER [WHEEL]     prints its path; without WHEEL a package without dependencies, for tests of all the rest
#
# A commit that isn't a release gets the release's version and its own time, which sorts before it: 0.1.0~20261122T0952.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
WHEEL=${2:+$(realpath "$2")}
PIP=${PIP:-$here/../../.venv/bin/python -m pip}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/signer

SOURCE_DATE_EPOCH=$("$here/../../tools/supply/export.sh" "$tree")
export SOURCE_DATE_EPOCH WHEEL PIP
umask 022
cd "$tree"
cp -r deploy/debian debian
cp deploy/systemd/signer.service debian/signer.service

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' signer/__init__.py)
[ "${RELEASE:-}" = "$version" ] || version=$version~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%dT%H%M%S)
cat >debian/changelog <<END
signer ($version) bookworm; urgency=medium

  * See /opt/signer/share/doc/signer/CHANGELOG.md.

 -- signer maintainers <maintainers@signer.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
# Nothing is compiled, so nothing of a compiler is asked for.
dpkg-buildpackage --no-check-builddeps --build=binary --no-sign --unsigned-changes >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cp "$work"/signer_*.deb "$out/"
ls "$out/signer_${version}_"*.deb
