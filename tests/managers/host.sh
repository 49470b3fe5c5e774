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

read -r pid _ </proc/self/stat # /proc is still the one of outside
base=$directory/host
mkdir "$base"
mount -t tmpfs tmpfs "$base"
mkdir "$base"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
cd "$base/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm
mkdir -p ".$directory"
mount --bind "$directory" ".$directory"
for file in "${files[@]}"; do
    install -D "${file%%=*}" ".${file#*=}"
    chmod --reference "${file%%=*}" ".${file#*=}"
done
pivot_root . mnt
umount --lazy /mnt
cd /
ip link set lo up
echo "$pid" >"$directory/init"
sleep infinity &
wait # and reap whoever is left to process 1
