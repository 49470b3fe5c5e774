use daemon_rt::daemon;

#[daemon]
fn main()
where
    String: Clone,
{
}
