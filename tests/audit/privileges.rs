//! Step 13 of daemon(7), and the part of step 4 that comes with it: the daemon becomes another user.

use nix::unistd::{Group, Uid, User};
use support::{Daemon, Stage};

use crate::{
    program::{Program, stage},
    verdict::{Objection, Verdict, judge, met, met_without, not_applicable, not_met},
};

/// Who every Unix has.
const USER: &str = "nobody";

const LAUNCHERS_GROUPS: [u32; 3] = [0, 4, 27];

struct Target {
    user: User,
    group: Group,
}

/// A daemon that was launched with groups of root's, and became that user.
fn starts(program: &Program, stage: &Stage) -> Result<(Daemon, Target), Objection> {
    if !Uid::effective().is_root() {
        return not_applicable("needs root");
    }
    let Ok(Some(user)) = User::from_name(USER) else { return not_applicable("needs a user nobody") };
    let Ok(Some(group)) = Group::from_gid(user.gid) else { return not_applicable("needs the group of nobody") };
    let options = ["--user", USER, "--group", &group.name];
    let groups = LAUNCHERS_GROUPS.map(|group| group.to_string()).join(",");
    let daemon = program.starts(stage, &["--groups", &groups], &options)?;
    Ok((daemon, Target { user, group }))
}

pub(crate) fn ids(program: &Program) -> Verdict {
    let stage = stage();
    let (daemon, Target { user, group }) = starts(program, &stage)?;
    let changed = |key: &str, id: u32| numbers(&daemon, key) == [id; 4];
    let objections = [
        (!changed("Uid", user.uid.as_raw())).then_some("not all user ids are the user's"),
        (!changed("Gid", group.gid.as_raw())).then_some("not all group ids are those of its group"),
    ];
    met_without(&objections, "all are the user's")
}

pub(crate) fn groups(program: &Program) -> Verdict {
    let stage = stage();
    let (daemon, Target { group, .. }) = starts(program, &stage)?;
    match numbers(&daemon, "Groups") {
        groups if groups.is_empty() || groups == [group.gid.as_raw()] => met("no other is there than the user's"),
        groups if groups == LAUNCHERS_GROUPS => not_met("those of the launcher are there"),
        _ => not_met("others than the user's are there"),
    }
}

pub(crate) fn capabilities(program: &Program) -> Verdict {
    let stage = stage();
    let (daemon, _) = starts(program, &stage)?;
    let has_none = ["CapPrm", "CapEff"]
        .iter()
        .all(|key| daemon.process.status(key).is_some_and(|set| set.chars().all(|digit| digit == '0')));
    judge(has_none, if has_none { "none is left" } else { "some are left" })
}

pub(crate) fn variables(program: &Program) -> Verdict {
    let stage = stage();
    let (mut daemon, Target { user, .. }) = starts(program, &stage)?;
    let expected = [
        ("HOME", user.dir.display().to_string()),
        ("USER", user.name.clone()),
        ("LOGNAME", user.name),
        ("SHELL", user.shell.display().to_string()),
    ];
    let wrong: Vec<_> = expected
        .iter()
        .filter(|(name, value)| daemon.ask(&format!("variable {name}")) != *value)
        .map(|(name, _)| *name)
        .collect();
    let is_met = wrong.is_empty();
    judge(is_met, if is_met { "all are the user's".into() } else { format!("not the user's: {}", wrong.join(", ")) })
}

/// The numbers in a line of /proc/PID/status.
fn numbers(daemon: &Daemon, key: &str) -> Vec<u32> {
    let line = daemon.process.status(key).unwrap_or_default();
    line.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}
