#!/bin/sh
# Builds the image on a clean Debian 12 made for it (no image registry is asked) and runs it as an orchestrator would: by another number than
# root, without capabilities, on a file system it can't write to. Minutes; needs root, buildah, crun, debootstrap and a mirror.
#
#   deploy/container/check.sh [FOLDER]     FOLDER keeps the clean root for the next time (var/deb); $BUILD_OPTIONS go to buildah
set -eu
cd "$(dirname "$0")/../.."
folder=$(mkdir -p "${1:-var/deb}" && realpath "${1:-var/deb}")
clean=$folder/bookworm.tar
data=$folder/data
bundle=$folder/bundle
epoch=$(git log -1 --format=%ct)

if [ -z "${INSIDE_OWN_NAMESPACE:-}" ]; then # its mounts end with it; crun takes pure cgroup v2 only
    exec env INSIDE_OWN_NAMESPACE=yes unshare --mount deploy/container/check.sh "$folder"
fi
if [ -d /sys/fs/cgroup/unified ]; then
    umount --recursive /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { echo "FAILED: $*" >&2; [ -f "$folder/serve.log" ] && tail -5 "$folder/serve.log" >&2; exit 1; }
b() { command=$1; shift; buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver vfs "$command" "$@"; }
oci() { crun --root "$folder/crun" --cgroup-manager disabled "$@"; }
inside() { oci exec --user 10001:10001 --no-new-privs signer-check "$@"; }
end() {
    oci delete --force signer-check 2>/dev/null || true
    b rm --all >/dev/null 2>&1 || true
}
trap end EXIT

say "A base image from a clean Debian 12"
if [ ! -f "$clean" ]; then
    debootstrap --variant=minbase bookworm "$folder/fresh" >"$folder/debootstrap.log" || { tail "$folder/debootstrap.log" >&2; exit 1; }
    tar --create --one-file-system --file "$clean" --directory "$folder/fresh" .
    rm -rf --one-file-system "$folder/fresh"
fi
base=$(b from scratch)
b add --quiet "$base" "$clean" / >/dev/null
b commit --quiet --rm "$base" localhost/debian:bookworm >/dev/null

say "The image"
# shellcheck disable=SC2086 # options
b bud --quiet --isolation chroot --format docker --build-arg DEBIAN=localhost/debian:bookworm --build-arg SOURCE_DATE_EPOCH="$epoch" \
    ${BUILD_OPTIONS:-} --file deploy/container/Containerfile --tag localhost/signer . >"$folder/build.log" 2>&1 || { tail -20 "$folder/build.log" >&2; fail build; }
b inspect --type image --format '{{.Docker.Config.User}} {{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}} {{.Docker.Config.Healthcheck.Test}}' localhost/signer
container=$(b from localhost/signer)
rootfs=$(b mount "$container")
du -sh "$rootfs" | cut -f1

say "A trial's token, PKI and configuration, made in the container as compose makes them; then serve"
rm -rf "$data" "$bundle"
install -d -m 700 -o 10001 -g 10001 "$data"
mkdir -p "$bundle"
(cd "$bundle" && crun spec)
python3 - "$bundle/config.json" "$rootfs" "$data" "$PWD/deploy/compose/trial.py" <<'END'
import json, pathlib, sys

path, rootfs, data, trial = sys.argv[1:]
spec = json.loads(pathlib.Path(path).read_text())
spec["root"] = {"path": rootfs, "readonly": True}
process = spec["process"]
process |= {"terminal": False, "user": {"uid": 10001, "gid": 10001}, "noNewPrivileges": True, "cwd": "/var/lib/signer"}
process["capabilities"] = {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}
process["args"] = ["/bin/sh", "-c", "/opt/signer/bin/python -I /trial.py && exec signer serve --config /var/lib/signer/trial/signer.toml"]
spec["linux"]["namespaces"] = [each for each in spec["linux"]["namespaces"] if each["type"] not in {"network", "cgroup"}]
spec["linux"].pop("resources", None)
spec["mounts"] = [each for each in spec["mounts"] if each["type"] != "cgroup"] + [
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", "size=64m"]},
    {"destination": "/var/lib/signer", "type": "bind", "source": data, "options": ["rbind", "rw", "nosuid", "nodev"]},
    {"destination": "/trial.py", "type": "bind", "source": trial, "options": ["rbind", "ro"]},
]
pathlib.Path(path).write_text(json.dumps(spec))
END
oci run --bundle "$bundle" signer-check >"$folder/serve.log" 2>&1 &
runs=$!
health="import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/livez', timeout=8)"
for _ in $(seq 120); do
    inside /opt/signer/bin/python -I -c "$health" 2>/dev/null && break
    kill -0 "$runs" 2>/dev/null || fail "it ended"
    sleep 1
done
inside /opt/signer/bin/python -I -c "$health" || fail "the health check"
inside /bin/sh -c 'id -u; touch /opt/signer/x 2>&1; grep -E "CapEff|NoNewPrivs" /proc/self/status'

say "A class is signed, and verified in the container"
inside signer sign /var/lib/signer/trial/records --out /tmp/signed --client-config /var/lib/signer/trial/client.toml \
    --credential principal --level b-t | tail -3
inside signer verify /tmp/signed --trust /var/lib/signer/trial/pki/root.pem | tail -2

say "SIGTERM drains"
oci kill signer-check TERM
wait "$runs" || fail "exit code $?"
grep -o '"event": *"stopped"' "$folder/serve.log" || fail "it did not stop in order"
say "It builds, runs, and stops."
