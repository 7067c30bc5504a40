//! Shapes in messages.

/// "5000×784".
pub(crate) fn shape_text(dimensions: &[usize]) -> String {
    let numbers: Vec<String> = dimensions.iter().map(usize::to_string).collect();
    numbers.join("×")
}
