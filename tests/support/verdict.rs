//! Whether a program stayed with whoever started it: what it says, and what is seen.

use crate::{Daemon, Process, eventually};

impl Daemon {
    /// Asserts that `main` runs in the process that was started, for that reason.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    pub fn assert_stays(&self, launched_by: &str) {
        assert_eq!((self.sight.get("launched_by"), self.sight.get("detaches")), (launched_by, "false"));
        assert_eq!(self.sight.get("launcher"), self.sight.get("pid"), "it forked");
    }

    /// Asserts that `main` runs in a session whose leader has gone, since nothing shows who would watch it.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    pub fn assert_detached(&self) {
        self.assert_detached_from("a shell or a program: nothing shows a service manager");
    }

    /// The same, for another reason.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    pub fn assert_detached_from(&self, launched_by: &str) {
        assert_eq!((self.sight.get("launched_by"), self.sight.get("detaches")), (launched_by, "true"));
        assert_ne!(self.sight.get("launcher"), self.sight.get("pid"), "it did not fork");
        assert_eq!(self.sight.get("terminal"), "none");
        let leader = Process(self.process.session());
        assert_ne!(leader, self.process, "it leads its session");
        eventually("the leader's end", || (!leader.is_alive()).then_some(()));
    }

    /// The name of its parent.
    #[must_use]
    pub fn parent_name(&self) -> String {
        Process(self.process.parent()).name()
    }
}
