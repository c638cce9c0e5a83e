//! Our AP and recall against pycocotools: its recorded answers on 24 generated sets (`scripts/peers pycocotools-2.0.11`).

use parity::kernel::metric::average_precision::{
    Detection, Evaluated, Object, SIZES, evaluate, overlaps,
};
use serde_json::Value;

const LIMIT: f64 = 1e-9;

fn recorded() -> Value {
    serde_json::from_str(include_str!("fixtures/peers/pycocotools-2.0.11.json")).unwrap()
}

fn numbers(row: &Value) -> Vec<f64> {
    row.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn rows(set: &Value, key: &str) -> Vec<Vec<f64>> {
    set[key].as_array().unwrap().iter().map(numbers).collect()
}

fn ours(set: &Value, most: usize) -> Evaluated {
    let bbox = |r: &[f64]| [r[2], r[3], r[4], r[5]];
    let place = |r: &[f64]| (r[0] as usize, r[1] as usize - 1);
    let object = |r: Vec<f64>| Object {
        image: place(&r).0,
        class: place(&r).1,
        bbox: bbox(&r),
        area: r[6],
        crowd: r[7] == 1.0,
    };
    let detection = |r: Vec<f64>| Detection {
        image: place(&r).0,
        class: place(&r).1,
        bbox: bbox(&r),
        area: r[4] * r[5],
        score: r[6],
    };
    let objects: Vec<Object> = rows(set, "truth").into_iter().map(object).collect();
    let found: Vec<Detection> = rows(set, "found").into_iter().map(detection).collect();
    let classes = set["classes"].as_u64().unwrap() as usize;
    evaluate(&objects, &found, classes, &SIZES, &overlaps(), most)
}

/// The peer says -1 where nothing is there.
fn near(own: f64, peer: f64, what: &str) -> f64 {
    if peer == -1.0 {
        assert!(own.is_nan(), "{what}: {own} where nothing is there");
        return 0.0;
    }
    let apart = (own - peer).abs();
    assert!(apart <= LIMIT, "{what}: {own}, the peer says {peer}");
    apart
}

#[test]
fn ap_and_recall_by_class_and_size_are_those_of_pycocotools() {
    let peer = recorded();
    let sets = peer["sets"].as_array().unwrap();
    assert!(sets.len() >= 20);
    let (mut largest, mut compared) = (0f64, 0);
    for set in sets {
        for (m, most) in numbers(&peer["most"]).into_iter().enumerate() {
            let own = ours(set, most as usize);
            for (c, sizes) in own.cells.iter().enumerate() {
                for (a, cell) in sizes.iter().enumerate() {
                    let recalls = numbers(&set["recall"][c][a][m]);
                    let aps = (most == 100.0).then(|| numbers(&set["ap"][c][a]));
                    for t in 0..recalls.len() {
                        let what = format!(
                            "set {}, class {c}, {}, overlap {t}, {most}",
                            set["seed"], SIZES[a].name
                        );
                        let recall = cell.recall.get(t).copied().unwrap_or(f64::NAN);
                        largest = largest.max(near(recall, recalls[t], &what));
                        if let Some(aps) = &aps {
                            largest = largest.max(near(cell.ap(t), aps[t], &what));
                        }
                        compared += 1;
                    }
                }
            }
        }
    }
    println!(
        "{compared} cells of {} sets, {largest:.1e} apart at most",
        sets.len()
    );
    assert!(compared > 5000, "{compared}");
}

#[test]
fn the_means_are_those_of_its_summary() {
    for set in recorded()["sets"].as_array().unwrap() {
        let own = ours(set, 100);
        let stats = numbers(&set["stats"]);
        let means = [
            (0, None),
            (0, Some(0)),
            (0, Some(5)),
            (1, None),
            (2, None),
            (3, None),
        ];
        for ((size, overlap), peer) in means.into_iter().zip(stats) {
            near(
                own.map(size, overlap),
                peer,
                &format!("set {}, {size} {overlap:?}", set["seed"]),
            );
        }
    }
}
