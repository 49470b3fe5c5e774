//! What an editor shows for an option: rust-analyzer is asked as an editor asks it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use support::skip;
use tempfile::TempDir;

/// The server builds the attribute first, and reads the standard library.
const PATIENCE: Duration = Duration::from_secs(100);

const PROGRAM: &str = "\
use daemon_rt::daemon;

#[daemon(umask = 0o022, setup = setup)]
fn main() {}

fn setup(_: &mut daemon_rt::Daemon) -> Result<(), String> {
    Ok(())
}
";

#[test]
fn keys_show_the_text_of_their_methods() {
    if !is_installed() {
        return skip("rust-analyzer");
    }
    let project = project();
    let mut editor = Editor::open(project.path());
    let umask = editor.hover("umask");
    assert!(umask.contains("pub fn umask(&mut self, umask: impl Umask)"), "{umask}");
    assert!(umask.contains("The file mode creation mask"), "{umask}");
    let setup = editor.hover("setup =");
    assert!(setup.contains("pub fn run_with"), "{setup}");
    let attribute = editor.hover("daemon(");
    assert!(attribute.contains("Runs fn main as a Unix daemon"), "{attribute}");
}

/// rustup has a proxy for it, whether the toolchain has it or not.
fn is_installed() -> bool {
    Command::new("rust-analyzer").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A program that depends on the library, with the versions that are there already.
fn project() -> TempDir {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let project = TempDir::new().expect("create a directory");
    let library = repository.join("daemon-rt").display().to_string();
    let manifest = format!(
        "[package]\nname = \"hovered\"\nedition = \"2024\"\n\n\
        [dependencies]\ndaemon-rt = {{ path = {library:?} }}\n\n[workspace]\n"
    );
    fs::write(project.path().join("Cargo.toml"), manifest).expect("write");
    fs::copy(repository.join("Cargo.lock"), project.path().join("Cargo.lock")).expect("copy");
    fs::create_dir(project.path().join("src")).expect("create a directory");
    fs::write(project.path().join("src/main.rs"), PROGRAM).expect("write");
    project
}

/// Speaks the language server protocol.
struct Editor {
    server: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    file: String,
    asked: u64,
}

impl Editor {
    /// Returns when the server knows the program.
    fn open(project: &Path) -> Self {
        let mut server = Command::new("rust-analyzer")
            .current_dir(project)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("hover"))
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start rust-analyzer");
        let (input, output) = (server.stdin.take().expect("an input"), server.stdout.take().expect("an output"));
        let root = format!("file://{}", project.display());
        let file = format!("{root}/src/main.rs");
        let mut editor = Self { server, input, output: messages(output), file: file.clone(), asked: 0 };
        editor.ask(
            "initialize",
            &json!({
                "processId": null,
                "rootUri": root,
                "capabilities": { "experimental": { "serverStatusNotification": true } },
                "initializationOptions": { "checkOnSave": false, "cachePriming": { "enable": false } },
            }),
        );
        editor.tell("initialized", &json!({}));
        let document = json!({ "uri": file, "languageId": "rust", "version": 1, "text": PROGRAM });
        editor.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        loop {
            let message = editor.next();
            if message["method"] == "experimental/serverStatus" && message["params"]["quiescent"] == true {
                return editor;
            }
        }
    }

    /// The text that is shown for the first place that begins so.
    fn hover(&mut self, place: &str) -> String {
        let file = self.file.clone();
        let (line, text) = PROGRAM.lines().enumerate().find(|(_, line)| line.contains(place)).expect("a line");
        let position = json!({ "line": line, "character": text.find(place) });
        let answer = self.ask("textDocument/hover", &json!({ "textDocument": { "uri": file }, "position": position }));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].clone();
            }
        }
    }

    fn tell(&mut self, method: &str, parameters: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("write to rust-analyzer");
    }

    /// The next message. What the server asks of the editor is answered with nothing.
    fn next(&mut self) -> Value {
        let message = self.output.recv_timeout(PATIENCE).expect("a message of rust-analyzer's");
        if message.get("method").is_some() && message.get("id").is_some() {
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
        }
        message
    }
}

/// Until the server ends.
fn messages(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    let mut output = BufReader::new(output);
    thread::spawn(move || {
        while let Some(message) = message(&mut output) {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A header that tells the length, an empty line, and JSON.
fn message(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut header = String::new();
        output.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
