use daemon_rt::daemon;

fn setup() -> Result<(), String> {
    Ok(())
}

#[daemon(setup = setup)]
fn main() {}
