//! dinit: its services are its own children, whatever its process id is and wherever their output goes. No system that
//! the tests run on has it, so a program by its name starts the service in the same way.

use support::{Stage, eventually, needs_root, needs_tools};

use crate::PROBE;

/// A service of `type = process` with `ready-notification = pipefd:7`: a session of its own, an empty input, the output
/// in a pipe (`log-type = buffer`), and a pipe to say when it is ready.
const DINIT: &str = r#"
    use POSIX;
    $0 = "dinit";
    pipe my $log, my $output;
    pipe my $ready, my $notification;
    fork or do {
        setsid;
        open STDIN, "</dev/null";
        dup2(fileno $output, 1);
        dup2(1, 2);
        dup2(fileno $notification, 7);
        exec @ARGV;
    };
    close $notification;
    local $/;
    my $heard = <$ready>;
    open my $file, ">heard";
    print $file $heard;
    close $file;
    wait;
"#;

#[test]
fn a_service_of_dinit_stays_and_says_when_it_is_ready() {
    needs_root!();
    needs_tools!("perl");
    for is_process_1 in [false, true] {
        let stage = Stage::new();
        let mut dinit = if is_process_1 { stage.first_process("perl") } else { stage.command("perl") };
        let running = stage.start(dinit.args(["-e", DINIT, PROBE, "--ready-fd", "7", "--notify"]));
        let mut program = stage.daemon();
        program.assert_stays("a supervisor: its parent is named dinit");
        assert_eq!(program.ask("ready"), "");
        eventually("the word that it is ready", || (stage.read("heard") == "\n").then_some(()));
        program.send("exit 0");
        assert_eq!(running.end().status, 0);
    }
}
