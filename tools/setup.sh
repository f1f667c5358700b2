#!/bin/sh
# Installs what this checkout lacks: Debian packages, and a virtual environment from hash-pinned locked dependencies.
#
#   tools/setup.sh demo   what `make demo` needs
#   tools/setup.sh test   also what the tests and linters need
#   tools/setup.sh deploy also what makes a clean Debian and an image to try packages on
#
# Does nothing, quickly, when everything is there. Needs root or sudo only when a Debian package is missing.
set -eu
cd "$(dirname "$0")/.."

demo_packages="python3 python3-venv openssl softhsm2 poppler-utils libnss3-tools fonts-liberation2 fonts-dejavu-core"
test_packages="gcc libc6-dev curl chromium chromium-driver chrony xmlsec1 prometheus prometheus-alertmanager p11-kit p11-kit-modules pcscd vsmartcard-vpcd opensc opensc-pkcs11 opencryptoki debhelper systemd postgresql postgresql-client haproxy"  # chrony keeps the time of a machine it is installed on, in place of systemd-timesyncd
deploy_packages="debootstrap lintian buildah crun systemd-container"

say() { printf '\033[1m%s\033[0m\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else echo "root is needed for: $* (or install the packages yourself and run this again)" >&2; exit 1
    fi
}

install_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "Installing Debian packages:$missing"
    as_root apt-get -qq update
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
    stop_services $missing
}

# Tests start these programs themselves, on ports of their own: the packages' services are not for this machine.
stop_services() {
    [ -d /run/systemd/system ] || return 0
    for service in "$@"; do
        case $service in
            prometheus*) as_root systemctl --quiet disable --now "$service" ;;
            postgresql | haproxy) as_root systemctl --quiet disable --now "$service" ;;
            opencryptoki) as_root systemctl --quiet disable --now pkcsslotd ;;
        esac
    done
}

make_environment() {
    stamp=.venv/.locked
    if [ -f "$stamp" ] && cmp -s requirements-dev.lock "$stamp"; then return 0; fi
    # Debian's own first: it is what users have, and a fifth faster than one built without profiles.
    python=$(command -v /usr/bin/python3.11 || command -v python3.11 || command -v python3)
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed" >&2; exit 1; }
    say "Making the virtual environment from requirements-dev.lock (a minute)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
    .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    cp requirements-dev.lock "$stamp"
}

case "${1:-}" in
demo) install_packages $demo_packages ;;
test) install_packages $demo_packages $test_packages ;;
deploy) install_packages $demo_packages $test_packages $deploy_packages ;;
*) sed -n '2,9p' "$0" >&2; exit 2 ;;
esac
make_environment
