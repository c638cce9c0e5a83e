//! summary: the Markdown that GitHub shows for a step. It takes 1 MiB and refuses all of what is larger: what is cut is counted.

use super::markdown::{Piece, pieces};
use super::told::Told;

/// What a step may write.
const MOST: usize = 1 << 20;

/// Room for the line that says what is cut.
const LAST: usize = 200;

pub fn summary(told: &Told) -> String {
    within(pieces(told), MOST)
}

/// The first of `pieces` that have room, and how many of each sort have none.
fn within(pieces: Vec<Piece>, most: usize) -> String {
    let whole: usize = pieces.iter().map(|p| p.text.len()).sum();
    let room = if whole <= most { most } else { most - LAST };
    let mut out = String::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next_if(|p| out.len() + p.text.len() <= room) {
        out += &piece.text;
    }
    let rest: Vec<Piece> = pieces.collect();
    if rest.is_empty() {
        return out;
    }
    let count = |of| rest.iter().filter(|p| p.of == Some(of)).count();
    let (findings, rows) = (count("findings"), count("rows"));
    out + &format!(
        "\n**Cut at {most} bytes, which is what a step may show: {findings} more findings and {rows} more rows of tables are in the other reports.**\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces_of(sizes: &[(usize, Option<&'static str>)]) -> Vec<Piece> {
        let piece = |(n, of): &(usize, Option<&'static str>)| Piece {
            text: "x".repeat(*n),
            of: *of,
        };
        sizes.iter().map(piece).collect()
    }

    #[test]
    fn what_has_room_is_whole_and_what_has_none_is_counted() {
        let all = [
            (300, None),
            (100, Some("findings")),
            (700, Some("findings")),
            (5, Some("rows")),
            (5, Some("rows")),
        ];
        assert_eq!(within(pieces_of(&all), 1110), "x".repeat(1110));
        let cut = within(pieces_of(&all), 1109);
        assert!(cut.len() <= 1109, "{}", cut.len());
        assert!(cut.contains("1 more findings and 2 more rows"), "{cut}");
        assert_eq!(cut.chars().filter(|c| *c == 'x').count(), 400);
    }
}
