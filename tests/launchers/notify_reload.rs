//! `Type=notify-reload`, which systemd has from version 253 on.

use support::Systemd;

use crate::{PROBE, RELOADING};

#[test]
fn a_reload_waits_for_the_program() {
    let unit = "[Service]\nType=notify-reload\nExecStart=/usr/bin/reloading\nTimeoutSec=10\n";
    let Some(systemd) = Systemd::boot_at_least(253, &[RELOADING], &[("reloading.service", unit)]) else { return };
    let start = systemd.start("reloading.service");
    assert_eq!((start.status, start.stderr.as_str()), (0, ""));
    for text in ["reloaded\n", "reloaded\nreloaded\n"] {
        let reload = systemd.systemctl(&["reload", "reloading.service"]);
        assert_eq!((reload.status, reload.stderr.as_str()), (0, ""));
        systemd.said("reloading", text);
    }
    let state = systemd.state("reloading.service");
    assert!(state.starts_with("active running success "), "{state}");
}

/// systemd waits in vain for word of the reload, and ends the reload, not the program.
#[test]
fn to_reopen_logs_is_not_enough() {
    let unit = "[Service]\nType=notify-reload\nTimeoutSec=1\n\
                ExecStart=/usr/bin/probe --notify --ready --reopen-logs\n";
    let Some(systemd) = Systemd::boot_at_least(253, &[PROBE], &[("probe.service", unit)]) else { return };
    let program = systemd.started("probe.service");
    let reload = systemd.systemctl(&["reload", "probe.service"]);
    assert_eq!(reload.status, 1, "{reload:?}");
    assert!(systemd.state("probe.service").starts_with("active running success "));
    assert!(program.process.is_alive());
}
