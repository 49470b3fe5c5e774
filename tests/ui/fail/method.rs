//! What calls the method is not reported.

use daemon_rt::daemon;

struct App;

impl App {
    #[daemon]
    fn main(&self) {
        self.work();
    }

    fn work(&self) {}
}

fn main() {
    App.main();
}
