//! What comes of a look at a program.

/// What was seen of a criterion that is met, or the objection.
pub(crate) type Verdict = Result<String, Objection>;

pub(crate) enum Objection {
    /// What was seen instead.
    NotMet(String),
    /// There is nothing to look at, and why.
    NotApplicable(String),
}

#[allow(clippy::unnecessary_wraps, reason = "it is one of the verdicts, as the others here")]
pub(crate) fn met(seen: impl Into<String>) -> Verdict {
    Ok(seen.into())
}

pub(crate) fn not_met<T>(seen: impl Into<String>) -> Result<T, Objection> {
    Err(Objection::NotMet(seen.into()))
}

pub(crate) fn not_applicable<T>(why: impl Into<String>) -> Result<T, Objection> {
    Err(Objection::NotApplicable(why.into()))
}

/// A criterion that is met or not, and what was seen in either case.
pub(crate) fn judge(is_met: bool, seen: impl Into<String>) -> Verdict {
    if is_met { met(seen) } else { not_met(seen) }
}

/// A criterion that is met if nothing speaks against it.
pub(crate) fn met_without(objections: &[Option<&str>], seen: &str) -> Verdict {
    match objections.iter().flatten().copied().collect::<Vec<_>>() {
        objections if objections.is_empty() => met(seen),
        objections => not_met(objections.join("; ")),
    }
}
