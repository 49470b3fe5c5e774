use daemon_rt::{Daemon, daemon};

struct App(u32);

impl App {
    #[daemon(setup = setup)]
    pub fn main(mut self, value: u32) {
        self.0 = value;
    }
}

fn setup(_: &mut Daemon) -> Result<u32, String> {
    Ok(1)
}

fn main() {
    App(0).main(1);
}
