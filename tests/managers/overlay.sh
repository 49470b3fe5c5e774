# To be sourced, in a mount namespace of one's own: a root directory that is the machine's behind an overlay.

# Goes to that root and fills it, but does not enter it yet. DIRECTORY is shared, at its own path.
prepare_overlay() {
    local directory=$1 base=$2 device
    mkdir "$base"
    mount -t tmpfs tmpfs "$base"
    mkdir "$base"/{upper,work,root}
    [ -z "${NEWER_SYSTEMD:-}" ] || cp -a "$NEWER_SYSTEMD/." "$base/upper" # over the machine's own
    mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$base/root" || return
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
    ln -s pts/ptmx dev
    mkdir -p ".$directory"
    mount --bind "$directory" ".$directory"
}

enter_overlay() {
    pivot_root . mnt
    umount --lazy /mnt
    cd /
}
