//! dialect: the f64 reference of one kernel in the place of another's: where do two code bases first differ?

use crate::error::{Error, Result};
use crate::fuzz::draw::{Case, drawn_alike};
use crate::fuzz::opinion::{Opinion, Subject};
use crate::subject::kernels::{self, Answer, Kernel, all};

/// A kernel that answers for another.
pub struct Dialect(&'static Kernel);

impl Dialect {
    /// # Errors
    /// No name, or an unknown one.
    pub fn named(name: Option<&str>) -> Result<Self> {
        let name = name.ok_or_else(|| Error::usage("subject = \"kernel\" needs kernel = \"NAME\"").next("parity list kernels"))?;
        Ok(Self(kernels::find(name)?))
    }
}

impl Subject for Dialect {
    fn opinion(&mut self, _: &Kernel, case: &Case, _: &Answer) -> Result<Opinion> {
        let said = self.0.evaluate(&|n| case.inputs.get(n).cloned())?;
        Ok(Opinion {
            tensors: said.tensors.into_iter().map(|(n, t)| (n.to_string(), t)).collect(),
            gradients: Some(said.gradients.into_iter().map(|g| ((g.of.to_string(), g.by.to_string()), Some(g.value))).collect()),
        })
    }
}

/// The kernel called `name`, if it can answer for `reference`.
///
/// # Errors
/// An unknown name; the reference itself; a kernel of other inputs or outputs. They list what would do.
pub fn find(name: &str, reference: &'static Kernel) -> Result<&'static Kernel> {
    let fits = |k: &&'static Kernel| k.name != reference.name && drawn_alike(k, reference) && k.outputs == reference.outputs;
    let others: Vec<&str> = all().filter(fits).map(|k| k.name).collect();
    let engines = "libtorch, libtorch-f32 and onnxruntime run the form itself";
    let next = match others.as_slice() {
        [] => format!("{engines}; no other kernel takes and gives what {} does", reference.name),
        some => format!("{engines}; kernels that take and give what {} does: {}", reference.name, some.join(", ")),
    };
    let Ok(kernel) = kernels::find(name) else {
        return Err(Error::usage(format!("unknown candidate '{name}'")).next(next));
    };
    match fits(&kernel) {
        true => Ok(kernel),
        false if kernel.name == reference.name => Err(Error::usage(format!("candidate '{name}' is the reference itself")).next(next)),
        false => Err(Error::usage(format!("candidate '{name}' takes or gives other tensors than {}", reference.name)).next(next)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_of_other_inputs_or_outputs_is_refused_with_a_list_of_those_that_fit() {
        let cases = [
            ("giou_yolov6", "giou_mmdet", None),
            ("task_aligned_yolov6", "task_aligned_mmdet_3_3", None),
            ("giou_yolov6", "giou_yolov6", Some("is the reference itself")),
            ("giou_yolov6", "box_loss_giou", Some("takes or gives other tensors")),
            ("gold_yolo_n", "gold_yolo_sml", Some("takes or gives other tensors")),
            ("giou_yolov6", "giou_mdet", Some("unknown candidate")),
        ];
        for (reference, name, refused) in cases {
            let found = find(name, kernels::find(reference).unwrap());
            match refused {
                None => assert_eq!(found.unwrap().name, name),
                Some(why) => {
                    let e = found.err().unwrap();
                    assert!(e.message.contains(why) && e.next.unwrap().contains("onnxruntime"), "{reference} {name}: {}", e.message);
                }
            }
        }
        assert!(find("dfl", kernels::find("giou_yolov6").unwrap()).err().unwrap().next.unwrap().contains("giou_mmdet"));
        assert!(find("dfl", kernels::find("anchors").unwrap()).err().unwrap().next.unwrap().contains("no other kernel"));
    }
}
