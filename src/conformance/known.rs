//! known: cases whose expected values no engine can be held to, and why; what an engine answers there differs from run to run or is right.

/// (part of the case's name, why)
const NOTES: [(&str, &str); 4] = [
    (
        "test_bernoulli",
        "the expected values are one draw of another random generator",
    ),
    (
        "test_training_dropout",
        "the expected values are one draw of another random generator",
    ),
    (
        "test_resize_downsample_scales_",
        "the expected values take the fractional length 0.6·n or 0.8·n for the length after the resize, which the operator's text says is whole",
    ),
    (
        "test_dft_inverse",
        "the expected values hold rounding noise of 1.9e-7 where the exact sum is 0, beyond the suite's own tolerance of 1e-7",
    ),
];

/// Why case `name`, which did not pass, is not counted against the engine's arithmetic.
pub fn note(name: &str) -> Option<&'static str> {
    NOTES
        .iter()
        .find(|(part, _)| name.starts_with(part))
        .map(|(_, why)| *why)
}
