#!/bin/sh
# The virtual environment that is shipped, below another root: locked dependencies by their hashes, our wheel, nothing that builds or tests.
# It works at its place alone (/opt/signer), with Debian 12's own /usr/bin/python3.11.
#
#   deploy/debian/environment.sh ROOT WHEEL     fills ROOT/opt/signer; $PIP is a pip of 22.3 or later
set -eu
root=$1 wheel=$2
place=/opt/signer
python=/usr/bin/python3.11
packages=$root$place/lib/python3.11/site-packages

[ -x "$python" ] || { echo "$python is needed: the package runs on Debian 12's own Python, and its modules are built for it" >&2; exit 1; }
"$python" -m venv --without-pip "$root$place"

install() { # wheels only: a source archive would be built by whatever compiler is here
    ${PIP:-python3 -m pip} --python "$root$place/bin/python" install --quiet --quiet --disable-pip-version-check --root-user-action ignore \
        --no-compile --no-warn-script-location --only-binary :all: --no-deps "$@"
}
install --require-hashes --requirement requirements.lock
install --no-index "$wheel"

# What is left of the folder it was made in, and what belongs to other programs: their commands, their manual pages, headers.
find "$root$place/bin" -mindepth 1 ! -name 'python*' ! -name signer -delete
rm -rf "$root$place/include" "$root$place/share"
sed -i "1s|^.*\$|#!$place/bin/python|" "$root$place/bin/signer"
sed -i "s|$root||g" "$root$place/pyvenv.cfg"
find "$packages" -path '*.dist-info/*' \( -name direct_url.json -o -name REQUESTED \) -delete
# Fonts of others' with rights of their own, which nothing here draws with: texts are set in Debian's Liberation.
rm -r "$packages/reportlab/fonts"
sed -i -E '/^reportlab\/fonts\//d; /\/(direct_url\.json|REQUESTED),|^\.\.\/\.\.\/\.\.\/(bin|share)\//d' "$packages"/*.dist-info/RECORD
find "$packages" -type f -perm /111 ! -name '*.so*' -exec chmod a-x {} +

# Compiled once, here: the service may write nowhere. By hash, so that one commit makes the same bytes at any time.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" "$packages"
