//! What is typical among measured values.

/// The value in the middle, and those a quarter from either end.
pub(crate) fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN))
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    quartiles(values)[1]
}
