#!/usr/bin/env bash
# Process 1 of a host of its own: its / is the machine's behind an overlay, so that nothing that is installed and started
# there changes the machine; its processes and its network are its own as well.
#
#   unshare --fork --pid --mount --net --propagation private host.sh DIRECTORY FILE=PATH...
#
# DIRECTORY is shared, at its own path. Each FILE is copied to PATH. When all is done, DIRECTORY/init gets the process id
# as seen from outside.
set -euo pipefail
directory=$1
files=("${@:2}")
. "${0%/*}/overlay.sh"

read -r pid _ </proc/self/stat # /proc is still the one of outside
prepare_overlay "$directory" "$directory/host"
for file in "${files[@]}"; do
    install -D "${file%%=*}" ".${file#*=}"
    chmod --reference "${file%%=*}" ".${file#*=}"
done
enter_overlay
ip link set lo up
echo "$pid" >"$directory/init"
sleep infinity &
wait # and reap whoever is left to process 1
