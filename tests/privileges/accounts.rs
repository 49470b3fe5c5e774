//! Users and groups as id(1) and setpriv(1) find them in a database of every kind of line: the options find the same.

use std::{fs, process::Command};

use support::{Libc, Stage, needs_glibc, needs_root, needs_tools};

use crate::PROBE;

/// passwd(5), a line each, behind that of root.
const USERS: &[&[u8]] = &[
    b"root:x:0:0:root:/root:/bin/sh",
    b"www.example-a_b:x:7001:7001::/:/bin/sh",
    b"machine$:x:7002:7002::/:/bin/sh",
    b"Upper:x:7003:7003::/:/bin/sh",
    b"two words:x:7004:7004::/:/bin/sh",
    b"1000abc:x:7005:7005::/:/bin/sh",
    b"4242:x:7006:7006::/:/bin/sh",
    b"DOMAIN\\user:x:7007:7007::/:/bin/sh",
    b"user@example.org:x:7008:7008::/:/bin/sh",
    "jörg:x:7009:7009::/:/bin/sh".as_bytes(),
    b"j\xf6rg:x:7010:7010::/:/bin/sh",
    b"-dash:x:7011:7011::/:/bin/sh",
    b"+plus:x:7012:7012::/:/bin/sh",
    b"+1000:x:7013:7013::/:/bin/sh",
    b"open::7014:7014::/:/bin/sh",
    b"short:7015:7015::/:/bin/sh",
    b"shorter:x:7016:7016",
    b"wordy:x:seven:7017::/:/bin/sh",
    b"no-group:x:7018:7999::/:/bin/sh",
    b"twice:x:7019:7019::/:/bin/sh",
    b"twice:x:7020:7020::/:/bin/sh",
    b"many:x:7021:7021::/:/bin/sh",
    b"last:x:4294967294:4294967294::/:/bin/sh",
    b"too-large:x:4294967296:7022::/:/bin/sh",
    b"no shell:x:7023:7023",
    b"twin:x:7001:7050::/:/bin/sh",
    b"minus:x:4294967295:7024::/:/bin/sh",
    b"minus-group:x:7025:4294967295::/:/bin/sh",
];

/// group(5), the same.
const GROUPS: &[&[u8]] = &[
    b"root:x:0:",
    b"crew:x:7100:nobody-there,www.example-a_b,two words,1000abc,4242,machine$,Upper,DOMAIN\\user,twice",
    b"open::7101:Upper,open,",
    b"short:7102:Upper",
    b"wordy:x:seven:Upper",
    b"two words:x:7103:Upper",
    b"7777:x:7104:Upper",
    b"twice:x:7105:Upper",
    b"twice:x:7106:Upper",
    b"crew:x:7107:Upper,Upper",
    b"spaced:x:7108: Upper , open",
    b"j\xf6rg:x:7109:j\xf6rg",
    b"+plus:x:7110:Upper",
    b"last:x:4294967294:Upper",
    b"twins:x:7111:twin",
    b"minus:x:4294967295:",
];

/// glibc skips names that begin with a sign, numbers that are too large, and blanks before a member; it takes lines that
/// end early. musl does none of that: to it, 4294967296 is 0.
const READ_BY_GLIBC_ALONE: &[&[u8]] = &[
    b"-dash:x:7011:7011::/:/bin/sh",
    b"+plus:x:7012:7012::/:/bin/sh",
    b"+1000:x:7013:7013::/:/bin/sh",
    b"shorter:x:7016:7016",
    b"no shell:x:7023:7023",
    b"too-large:x:4294967296:7022::/:/bin/sh",
    b"spaced:x:7108: Upper , open",
    b"+plus:x:7110:Upper",
];

/// What is asked for by name: of users and of groups.
const NAMES: &[&str] = &[
    "www.example-a_b",
    "machine$",
    "Upper",
    "upper",
    "two words",
    "1000abc",
    "4242",
    "7777",
    "DOMAIN\\user",
    "user@example.org",
    "jörg",
    "-dash",
    "+plus",
    "open",
    "short",
    "shorter",
    "wordy",
    "no-group",
    "no shell",
    "twice",
    "crew",
    "spaced",
    "many",
    "last",
    "too-large",
    "nobody-there",
    "x",
    ":",
    "root:x",
];

/// What can be read as a number.
const NUMBERS: &[&str] = &[
    "0",
    "00",
    "7001",
    "007001",
    "+7001",
    "+007001",
    "7006",
    "7010",
    "7011",
    "7013",
    "7020",
    "7999",
    "7100",
    "54321",
    "+54321",
    "0x10",
    "7001x",
    "7001.0",
    "7e3",
    "-1",
    "-7001",
    "+-7001",
    "++7001",
    "+",
    "-",
    "4294967294",
    "99999999999999999999",
    "٧",
];

/// User id, group id, and all groups, that one included, which a system lists among them or not.
type Ids = (u32, u32, Vec<u32>);

/// A user and group database that none but the programs of a test see.
struct Databases(Stage);

impl Databases {
    fn new(services: &str) -> Self {
        let stage = Stage::new();
        let long = |lead: &str| [b"l".repeat(300), lead.as_bytes().to_vec()].concat();
        let users = USERS.iter().map(|line| line.to_vec()).chain([long(":x:7030:7030::/:/bin/sh")]);
        let many = (8000..9000).map(|number| format!("many{number}:x:{number}:many").into_bytes());
        let groups = GROUPS.iter().map(|line| line.to_vec()).chain(many).chain([long(":x:7130:Upper")]);
        // id(1) and setpriv(1) ask glibc.
        let is_read_by_all = |line: &[u8]| Libc::of(PROBE) == Libc::Glibc || !READ_BY_GLIBC_ALONE.contains(&line);
        for (file, lines) in [("passwd", users.collect::<Vec<_>>()), ("group", groups.collect())] {
            let lines =
                lines.into_iter().filter(|line| is_read_by_all(line)).flat_map(|line| line.into_iter().chain(*b"\n"));
            fs::write(stage.path(file), lines.collect::<Vec<_>>()).expect("write a database");
        }
        fs::write(stage.path("nsswitch.conf"), services).expect("write a configuration");
        Self(stage)
    }

    fn command(&self, program: &str) -> Command {
        let script = "for file in passwd group nsswitch.conf; do mount --bind $file /etc/$file || exit 99; done";
        self.0.command_behind(script, program)
    }

    /// id(1) takes numbers of users, too, if they have an entry.
    fn by_id(&self, user: &str) -> Option<Ids> {
        let script = "id -u -- \"$1\" && id -g -- \"$1\" && id -G -- \"$1\"";
        let launch = self.0.launch(self.command("sh").args(["-c", script, "sh"]).arg(user));
        assert_ne!(launch.status, 99, "{launch:?}");
        let lines: Vec<_> = launch.stdout.lines().map(numbers).collect();
        let [user, group, groups] = lines.try_into().ok()?;
        Some(ids(user[0], group[0], groups))
    }

    /// With those options.
    fn by_setpriv(&self, options: &[&str]) -> Option<Ids> {
        let launch = self.0.launch(self.command("setpriv").args(options).args(["--", "cat", "/proc/self/status"]));
        assert_ne!(launch.status, 99, "{launch:?}");
        let line = |key: &str| Some(numbers(launch.stdout.lines().find_map(|line| line.strip_prefix(key))?));
        Some(ids(line("Uid:")?[0], line("Gid:")?[0], line("Groups:")?))
    }

    /// With the options of the daemon: the start tells why not.
    fn by_daemon(&self, options: &[&str]) -> Result<Ids, String> {
        let launch = self.0.launch(self.command(PROBE).args(options).arg("--connect"));
        if launch.status != 0 {
            self.0.refuse_daemon(); // `setup` connected
            assert_eq!(launch.status, 1, "{launch:?}");
            return Err(launch.stderr);
        }
        let daemon = self.0.daemon();
        let line = |key| numbers(&daemon.process.status(key).expect("a process"));
        Ok(ids(line("Uid")[0], line("Gid")[0], line("Groups")))
    }
}

fn ids(user: u32, group: u32, mut groups: Vec<u32>) -> Ids {
    groups.push(group);
    groups.sort_unstable();
    groups.dedup();
    (user, group, groups)
}

fn numbers(line: &str) -> Vec<u32> {
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

const FILES: &str = "passwd: files\ngroup: files\n";

/// A user whom both find, or neither.
fn is_the_same(databases: &Databases, user: &str) {
    let theirs = databases.by_id(user);
    if let Some((_, group, _)) = &theirs {
        let options = ["--reuid", user, "--regid", &group.to_string(), "--init-groups"];
        assert_eq!(databases.by_setpriv(&options), theirs, "{user}");
    }
    match databases.by_daemon(&["--user", user]) {
        Ok(ours) => assert_eq!(Some(ours), theirs, "{user}"),
        Err(line) => assert_eq!(theirs, None, "{user}: {line}"),
    }
}

#[test]
fn a_user_is_whom_id_and_setpriv_find() {
    needs_root!();
    needs_tools!("id", "setpriv");
    let databases = Databases::new(FILES);
    let long = "l".repeat(300);
    for user in NAMES.iter().chain(NUMBERS).copied().chain([long.as_str()]) {
        is_the_same(&databases, user);
    }
}

#[test]
fn a_group_is_what_setpriv_finds() {
    needs_root!();
    needs_tools!("id", "setpriv");
    let databases = Databases::new(FILES);
    let long = "l".repeat(300);
    for group in NAMES.iter().chain(NUMBERS).copied().chain([long.as_str()]) {
        if group.starts_with('-') {
            continue; // of that the last test speaks
        }
        let theirs = databases.by_setpriv(&["--regid", group, "--clear-groups"]).map(|(_, group, _)| group);
        match databases.by_daemon(&["--group", group]) {
            Ok((user, number, groups)) => {
                assert_eq!((user, Some(number), groups), (0, theirs, vec![number]), "{group}");
            }
            Err(line) => assert_eq!(theirs, None, "{group}: {line}"),
        }
    }
}

/// For id(1) there is no such user; to setpriv(1) a number is enough.
#[test]
fn a_number_without_an_entry_will_do_with_a_group() {
    needs_root!();
    needs_tools!("id", "setpriv");
    let databases = Databases::new(FILES);
    for user in ["54321", "+54321", "054321", "7011", "7013", "7999", "4294967293"] {
        for group in ["crew", "7777", "7999", "+54321", "4294967294"] {
            let theirs = databases.by_setpriv(&["--reuid", user, "--regid", group, "--clear-groups"]);
            let ours = databases.by_daemon(&["--user", user, "--group", group]);
            let (user, group, _) = theirs.expect("setpriv takes it");
            assert_eq!(ours, Ok((user, group, vec![group])));
        }
    }
}

/// nsswitch.conf(5), with a module that is not there, and none that is.
#[test]
fn other_services_are_asked_as_they_are_for_id() {
    needs_root!();
    needs_glibc!(PROBE);
    needs_tools!("id", "setpriv");
    for services in [
        "passwd: files nothing\ngroup: files nothing\n",
        "passwd: nothing files\ngroup: nothing files\n",
        "passwd: files\ngroup: files\ninitgroups: nothing files\n",
        "passwd: nothing\ngroup: nothing\n",
        "passwd: nothing [UNAVAIL=return] files\ngroup: nothing [UNAVAIL=return] files\n",
        "passwd: compat\ngroup: compat\n",
        "",
    ] {
        let databases = Databases::new(services);
        for user in ["Upper", "4242", "7001", "many", "nobody-there", "54321", "root"] {
            is_the_same(&databases, user);
        }
    }
}

/// Of two entries with one number, id(1) tells the first one's group, too.
#[test]
fn the_second_name_of_a_number_has_its_own_groups() {
    needs_root!();
    needs_tools!("id", "setpriv");
    let databases = Databases::new(FILES);
    let theirs = databases.by_setpriv(&["--reuid", "twin", "--regid", "7050", "--init-groups"]);
    assert_eq!(theirs, Some((7001, 7050, vec![7050, 7111])));
    assert_eq!(databases.by_daemon(&["--user", "twin"]).ok(), theirs);
}

/// To the system calls -1 is "no change", and so is the 4294967295 of an entry: who asks for that would stay root.
/// setpriv(1) cuts off what is larger, and 4294967296 is root. Blanks, which strtoul(3) passes over, are a mistake.
#[test]
fn what_would_be_another_or_a_mistake_is_refused() {
    needs_root!();
    needs_tools!("id", "setpriv");
    let databases = Databases::new(FILES);
    let root = Some((0, 0, vec![0]));
    for (value, theirs, why) in [
        ("-1", root.clone(), "is unknown: there is no user -1"),
        ("-7001", Some((4_294_960_295, 0, vec![0])), "is unknown: there is no user -7001"),
        ("4294967295", root.clone(), "must be less than 4294967295, found 4294967295"),
        ("4294967296", root.clone(), "must be less than 4294967295, found 4294967296"),
        (" 7001", Some((7001, 0, vec![0])), "is unknown: there is no user  7001"),
    ] {
        assert_eq!(databases.by_setpriv(&["--reuid", value, "--regid", "0", "--groups", "0"]), theirs, "{value}");
        assert_eq!(databases.by_daemon(&["--user", value, "--group", "0"]), Err(format!("probe: `user` {why}\n")));
        let why = why.replace("no user", "no group");
        assert_eq!(databases.by_daemon(&["--group", value]), Err(format!("probe: `group` {why}\n")));
    }
    for (options, kind) in
        [(["--user", "minus"], "user"), (["--user", "minus-group"], "group"), (["--group", "minus"], "group")]
    {
        let line = format!(
            "probe: cannot become {} {}: this user namespace has no {kind} id 4294967295\n",
            &options[0][2..],
            options[1]
        );
        assert_eq!(databases.by_daemon(&options), Err(line));
    }
}
