#!/usr/bin/env bash
# Boots the machine's own systemd as process 1 of namespaces of its own, until standard input ends.
#
#   systemd.sh DIRECTORY PROGRAM...
#
# Inside, / is the machine's behind an overlay, with the programs in /usr/bin: nothing of the machine changes. DIRECTORY
# is shared, at its own path. The manager has the units in DIRECTORY/units and those written below, no others; when it is
# up, it says READY=1 to DIRECTORY/ready.socket. DIRECTORY/manager gets its process id as seen from outside, or
# DIRECTORY/needs what the machine lacks.
set -euo pipefail
directory=$1
programs=("${@:2}")
. "${0%/*}/overlay.sh"

needs() {
    echo "$1" >"$directory/needs"
    exit 1
}

outside() {
    trap '' HUP INT TERM # whoever started this may be ended together with it: somebody has to clean up
    local mount cgroup namespaces
    mount=$(findmnt --first-only --noheadings --output TARGET --types cgroup2) || needs cgroup2
    cgroup=$mount/daemon-test.$$
    mkdir "$cgroup" || needs "a cgroup2 to write to"
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        exec unshare --fork --kill-child --propagation private --pid --mount --cgroup --net --uts --ipc \
            env INSIDE=yes "$0" "$directory" "${programs[@]}" </dev/null
    ) &
    namespaces=$!
    cat <&0 >/dev/null &
    wait -n || true # the test is over, or the manager
    while [ -n "$(jobs -rp %1 2>/dev/null)" ]; do # until it is reaped, its number is nobody else's
        pkill -KILL --parent "$namespaces" || sleep 0.01 # process 1, with which all others end, pid_namespaces(7)
    done
    find "$cgroup" -depth -type d -exec rmdir {} +
    [ -e "$directory/manager" ] || needs "namespaces"
}

inside() {
    cut -d ' ' -f 4 /proc/self/stat >"$directory/manager" # the parent of `cut`, and /proc is still that of outside
    mount_root
    write_units
    exec env --ignore-environment container=test PATH=/usr/bin:/usr/sbin NOTIFY_SOCKET="$directory/ready.socket" \
        SYSTEMD_UNIT_PATH="$directory/units:/run/systemd/system" SYSTEMD_GENERATOR_PATH= \
        SYSTEMD_ENVIRONMENT_GENERATOR_PATH= /lib/systemd/systemd --log-target=journal --show-status=false
}

mount_root() {
    prepare_overlay "$directory" "$directory/root" || needs overlayfs
    install -m 755 "${programs[@]}" usr/bin
    echo 0123456789abcdef0123456789abcdef >etc/machine-id # without it, a first boot would enable units
    enter_overlay
}

# What the units of a test need of those of a whole system, and the variables that every program of a stage has.
write_units() {
    local kind
    mkdir -p /run/systemd/{system,user}{,.conf.d}
    cp /lib/systemd/system/systemd-journald.{service,socket} /run/systemd/system
    printf '[Unit]\nDescription=Nothing more\n' | tee /run/systemd/{system,user}/{sysinit,basic,default}.target >/dev/null
    printf '[Unit]\nWants=systemd-journald.service\n' >/run/systemd/system/default.target
    for kind in system user; do
        cat >"/run/systemd/$kind.conf.d/environment.conf" <<-END
	[Manager]
	DefaultEnvironment=PROBE_SOCKET=$directory/probe.socket RUST_BACKTRACE=0
	END
    done
    cat >/run/systemd/system/user-manager.service <<-END
	[Service]
	Type=notify
	User=nobody
	Delegate=yes
	RuntimeDirectory=user
	Environment=XDG_RUNTIME_DIR=/run/user SYSTEMD_UNIT_PATH=$directory/units:/run/systemd/user
	ExecStart=/lib/systemd/systemd --user
	END
}

if [ -n "${INSIDE:-}" ]; then inside; else outside; fi
