//! index: from a flat position to the coordinates that a person reads, and back.

/// Row-major coordinates of element `flat` in `shape`; empty for a scalar.
pub fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (i, d) in shape.iter().enumerate().rev() {
        at[i] = flat % d;
        flat /= d;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_follow_row_major_order() {
        assert_eq!(unravel(0, &[]), Vec::<usize>::new());
        assert_eq!(unravel(23, &[2, 3, 4]), vec![1, 2, 3]);
        assert_eq!(unravel(5, &[2, 3]), vec![1, 2]);
    }
}
