//! How far a misspelt word is from a known one.

/// The least number of letters to insert, delete, replace, or swap with their neighbour: the optimal string alignment
/// distance. Without the swap, `umaks` would be two slips away from `umask`.
pub(crate) fn edit_distance(from: &str, to: &str) -> usize {
    let [from, to] = [from, to].map(|word| word.chars().collect::<Vec<_>>());
    // distances[i][j]: of the first i letters of `from` to the first j of `to`.
    let mut distances = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            distances[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = distances[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                let one_off = distances[i - 1][j].min(distances[i][j - 1]) + 1;
                let swapped = if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                    distances[i - 2][j - 2] + 1
                } else {
                    usize::MAX
                };
                replaced.min(one_off).min(swapped)
            };
        }
    }
    distances[from.len()][to.len()]
}
