//! matching: which column does each row get, so that all together cost least (the assignment problem)?
//!
//! Convention: no more rows than columns; shortest augmenting paths with potentials (Kuhn, 1955; Jonker and Volgenant, 1987). Among matchings of
//! equal cost it may be any: what a matching costs is unique, what it is is not.

use crate::error::{Error, Result};

/// The column of every row; `costs` are `[rows][columns]`. Refuses more rows than columns, rows of unlike length and costs that are no numbers.
pub fn cheapest(costs: &[Vec<f64>]) -> Result<Vec<usize>> {
    let columns = costs.first().map_or(0, Vec::len);
    check(costs, columns)?;
    let mut state = Paths::of(costs.len(), columns);
    for row in 0..costs.len() {
        state.add(row, costs);
    }
    let mut of_row = vec![0; costs.len()];
    let taken = state.row.iter().take(columns).enumerate();
    taken.for_each(|(column, row)| {
        if let Some(row) = row {
            of_row[*row] = column;
        }
    });
    Ok(of_row)
}

fn check(costs: &[Vec<f64>], columns: usize) -> Result<()> {
    let wrong = |fact: String, next: &str| Err(Error::usage(fact).next(next.to_string()));
    if costs.len() > columns {
        let fact = format!("{} objects for {columns} queries", costs.len());
        return wrong(fact, "give at least as many queries as objects");
    }
    if let Some(row) = costs.iter().position(|r| r.len() != columns) {
        let fact = format!("costs of object {row}: {} of {columns}", costs[row].len());
        return wrong(fact, "give one cost per query");
    }
    let bad = |row: &Vec<f64>| row.iter().position(|c| !c.is_finite());
    match costs
        .iter()
        .enumerate()
        .find_map(|(i, row)| Some((i, bad(row)?)))
    {
        Some((i, j)) => {
            let fact = format!("object {i} and query {j} cost {}", costs[i][j]);
            wrong(fact, "find the first layer with such a value")
        }
        None => Ok(()),
    }
}

/// Rows that have their columns so far, and the potentials that prove that no other matching of them is cheaper. The column behind the last
/// stands for the row that is being added.
struct Paths {
    of_rows: Vec<f64>,
    of_columns: Vec<f64>,
    row: Vec<Option<usize>>,
}

impl Paths {
    fn of(rows: usize, columns: usize) -> Self {
        Self {
            of_rows: vec![0.0; rows],
            of_columns: vec![0.0; columns + 1],
            row: vec![None; columns + 1],
        }
    }

    /// Gives `row` a column along the cheapest path of exchanges.
    fn add(&mut self, row: usize, costs: &[Vec<f64>]) {
        let columns = costs[row].len();
        let (mut least, mut before) = (vec![f64::INFINITY; columns], vec![columns; columns]);
        let mut seen = vec![false; columns + 1];
        self.row[columns] = Some(row);
        let mut at = columns;
        while let Some(i) = self.row[at] {
            seen[at] = true;
            for j in (0..columns).filter(|j| !seen[*j]) {
                let reduced = costs[i][j] - self.of_rows[i] - self.of_columns[j];
                if reduced < least[j] {
                    (least[j], before[j]) = (reduced, at);
                }
            }
            let open = (0..columns).filter(|j| !seen[*j]);
            let Some(next) = open.min_by(|a, b| least[*a].total_cmp(&least[*b])) else {
                return;
            };
            self.shift(least[next], &seen, &mut least);
            at = next;
        }
        while at != columns {
            self.row[at] = self.row[before[at]];
            at = before[at];
        }
    }

    fn shift(&mut self, by: f64, seen: &[bool], least: &mut [f64]) {
        for (j, seen) in seen.iter().enumerate() {
            if *seen {
                let row = self.row[j];
                row.into_iter().for_each(|i| self.of_rows[i] += by);
                self.of_columns[j] -= by;
            } else {
                least[j] -= by;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(costs: &[Vec<f64>], of_row: &[usize]) -> f64 {
        of_row.iter().zip(costs).map(|(j, row)| row[*j]).sum()
    }

    /// The least cost of all ways there are.
    fn least(costs: &[Vec<f64>], taken: &mut Vec<usize>) -> f64 {
        let Some(row) = costs.get(taken.len()) else {
            return cost(costs, taken);
        };
        let mut best = f64::INFINITY;
        for j in 0..row.len() {
            if !taken.contains(&j) {
                taken.push(j);
                best = best.min(least(costs, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn the_nearest_for_each_is_not_the_cheapest_for_all() {
        let costs = vec![vec![1.0, 2.0], vec![1.0, 5.0]];
        assert_eq!(cheapest(&costs).unwrap(), [1, 0]);
        assert_eq!(cheapest(&[]).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn what_has_no_matching_is_refused_by_its_place() {
        let says = |costs: &[Vec<f64>]| cheapest(costs).unwrap_err().message;
        assert_eq!(says(&[vec![1.0], vec![1.0]]), "2 objects for 1 queries");
        assert_eq!(
            says(&[vec![1.0, f64::NAN]]),
            "object 0 and query 1 cost NaN"
        );
        assert_eq!(
            says(&[vec![1.0, 2.0], vec![1.0]]),
            "costs of object 1: 1 of 2"
        );
    }

    proptest! {
        #[test]
        fn no_other_matching_is_cheaper(
            costs in (1usize..5, 0usize..3).prop_flat_map(|(rows, more)| {
                // Few values, so that equal costs are common.
                prop::collection::vec(prop::collection::vec((-4i32..5).prop_map(f64::from), rows + more), rows)
            }),
        ) {
            let found = cheapest(&costs).unwrap();
            let mut distinct = found.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), costs.len());
            prop_assert_eq!(cost(&costs, &found), least(&costs, &mut vec![]));
        }
    }
}
