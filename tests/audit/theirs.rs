//! What others have, and ours has not, or not by itself.

use std::fs;

use crate::{
    pidfile::{self, path},
    program::{Program, SOON, Spawned, main_begins, stage},
    verdict::{Verdict, judge, not_applicable, not_met},
};

pub(crate) fn core_file(program: &Program) -> Verdict {
    let stage = stage();
    // Where even a core file may be written, setrlimit(2).
    let script = "ulimit -Sc \"$(ulimit -Hc)\" && [ \"$(ulimit -Sc)\" != 0 ] || exit 98; exec \"$@\"";
    let mut launcher = Spawned::silent(&stage, &mut program.in_script(&stage, &[], script, &[])?);
    match launcher.status_within(SOON) {
        Some(0) => {}
        Some(98) => return not_applicable("needs a limit that is not 0"),
        _ => return not_met("it does not start"),
    }
    let daemon = main_begins(&stage)?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.process.0)).unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max core file size")?.split_whitespace().next());
    let is_none = limit == Some("0");
    judge(is_none, if is_none { "none is written" } else { "one is written where the launcher's would be" })
}

pub(crate) fn priority(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &[], &["--nice", "5"])?;
    let nice = daemon.process.stat(19).unwrap_or_default();
    judge(nice == "5", format!("it is {nice}"))
}

/// One that the auditor has, and that no library is in.
pub(crate) fn any_program(program: &Program) -> Verdict {
    let stage = stage();
    let other = program.beside("plain");
    let daemon = program.starts(&stage, &[], &["--program", &other.display().to_string()])?;
    let name = daemon.process.status("Name").unwrap_or_default();
    judge(name == "plain", format!("it is {name}"))
}

/// Two failures whose causes a script may treat in different ways.
pub(crate) fn kinds_of_failure(program: &Program) -> Verdict {
    let stage = stage();
    let unknown_user = program.launch(&stage, &["--user", "no-such-one"])?.status;
    let _first = pidfile::starts(program, &stage)?;
    let second_instance = program.launch(&stage, &["--pidfile", &path(&stage)])?.status;
    let are_told = unknown_user != second_instance && unknown_user != 0 && second_instance != 0;
    judge(are_told, format!("{unknown_user} and {second_instance}"))
}
