//! other kernel: the f64 reference of one kernel in the place of another's: where do two code bases first differ?

use crate::error::{Error, Result};
use crate::fuzz::kernel::response::{Response, Subject};
use crate::kernel::assign::Assignment;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::{self, ALL, Answer, Kernel};
use crate::tensor::Tensor;

/// A kernel that answers for another.
pub struct OtherKernel(&'static Kernel);

impl OtherKernel {
    /// # Errors
    /// No name, or an unknown one.
    pub fn named(name: Option<&str>) -> Result<Self> {
        let name = name.ok_or_else(|| {
            Error::usage("subject = \"kernel\" needs kernel = \"NAME\"").next("parity list kernels")
        })?;
        Ok(Self(kernels::find(name)?))
    }
}

impl Subject for OtherKernel {
    fn answer(&mut self, _: &Kernel, case: &Case, reference: &Answer) -> Result<Response> {
        let said = self.0.evaluate(&|n| case.inputs.get(n).cloned())?;
        let own = |(n, t): (&str, Tensor)| {
            (
                n.to_string(),
                conventional(n, t, &said.assignments, reference),
            )
        };
        Ok(Response {
            tensors: said.tensors.clone().into_iter().map(own).collect(),
            gradients: Some(
                said.gradients
                    .into_iter()
                    .map(|g| ((g.of.to_string(), g.by.to_string()), Some(g.value)))
                    .collect(),
            ),
        })
    }
}

/// An output in which background holds what it does in the reference: which class and box that is, is a convention of the dialect by which nothing
/// is trained.
fn conventional(name: &str, t: Tensor, own: &[Assignment], reference: &Answer) -> Tensor {
    let is_target = ["gt_index", "target_labels", "target_boxes"]
        .contains(&name.strip_prefix("assign.").unwrap_or(name));
    let Some(theirs) = reference
        .tensors
        .get(name)
        .filter(|r| is_target && (r.shape(), r.dtype()) == (t.shape(), t.dtype()))
    else {
        return t;
    };
    let free = |of: &[Assignment]| {
        of.iter()
            .flat_map(|a| a.owner.iter().map(Option::is_none))
            .collect::<Vec<bool>>()
    };
    let (ours, others) = (free(own), free(&reference.assignments));
    let width = t.bytes().len() / ours.len().max(1);
    let mut bytes = t.bytes().to_vec();
    for i in (0..ours.len()).filter(|i| ours[*i] && others.get(*i) == Some(&true)) {
        bytes[i * width..(i + 1) * width]
            .copy_from_slice(&theirs.bytes()[i * width..(i + 1) * width]);
    }
    Tensor::from_bytes(t.dtype(), t.shape().to_vec(), &bytes).unwrap_or(t)
}

/// The kernel called `name`, if it can answer for `reference`.
///
/// # Errors
/// An unknown name; the reference itself; a kernel of other inputs or outputs. They list what would do.
pub fn find(name: &str, reference: &'static Kernel) -> Result<&'static Kernel> {
    let fits = |k: &&'static Kernel| {
        k.name != reference.name && k.takes_cases_of(reference) && k.outputs == reference.outputs
    };
    let others: Vec<&str> = ALL.iter().filter(fits).map(|k| k.name).collect();
    let engines = "libtorch, libtorch-f32 and onnxruntime run the form itself";
    let next = match others.as_slice() {
        [] => format!(
            "{engines}; no other kernel takes and gives what {} does",
            reference.name
        ),
        some => format!(
            "{engines}; kernels that take and give what {} does: {}",
            reference.name,
            some.join(", ")
        ),
    };
    let Ok(kernel) = kernels::find(name) else {
        return Err(Error::usage(format!("unknown candidate '{name}'")).next(next));
    };
    match fits(&kernel) {
        true => Ok(kernel),
        false if kernel.name == reference.name => {
            Err(Error::usage(format!("candidate '{name}' is the reference itself")).next(next))
        }
        false => Err(Error::usage(format!(
            "candidate '{name}' takes or gives other tensors than {}",
            reference.name
        ))
        .next(next)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_that_differ_in_what_background_holds_alone_have_the_same_targets() {
        let strategy = kernels::find("task_aligned_yolov6").unwrap().cases();
        let (yolov6, mmdet) = (
            kernels::find("task_aligned_yolov6").unwrap(),
            kernels::find("task_aligned_mmdet_3_3").unwrap(),
        );
        let mut seen = 0;
        for number in 0..40 {
            let case = crate::fuzz::drawn::drawn(&strategy, 1, number).current();
            let Ok(reference) = yolov6.evaluate(&|n| case.inputs.get(n).cloned()) else {
                continue;
            };
            let own = OtherKernel(mmdet)
                .answer(yolov6, &case, &reference)
                .unwrap()
                .tensors;
            if own["fg_mask"].bytes() == reference.tensors["fg_mask"].bytes()
                && own["fg_mask"].bytes().iter().all(|m| *m == 0)
            {
                seen += 1;
                for name in ["gt_index", "target_labels", "target_boxes"] {
                    assert_eq!(own[name].bytes(), reference.tensors[name].bytes(), "{name}");
                }
            }
        }
        assert!(seen > 0);
    }

    #[test]
    fn a_kernel_of_other_inputs_or_outputs_is_refused_with_a_list_of_those_that_fit() {
        let cases = [
            ("giou_yolov6", "giou_mmdet", None),
            ("task_aligned_yolov6", "task_aligned_mmdet_3_3", None),
            (
                "giou_yolov6",
                "giou_yolov6",
                Some("is the reference itself"),
            ),
            (
                "giou_yolov6",
                "box_loss_giou",
                Some("takes or gives other tensors"),
            ),
            (
                "gold_yolo_n",
                "gold_yolo_sml",
                Some("takes or gives other tensors"),
            ),
            ("giou_yolov6", "giou_mdet", Some("unknown candidate")),
        ];
        for (reference, name, refused) in cases {
            let found = find(name, kernels::find(reference).unwrap());
            match refused {
                None => assert_eq!(found.unwrap().name, name),
                Some(why) => {
                    let e = found.err().unwrap();
                    assert!(
                        e.message.contains(why) && e.next.unwrap().contains("onnxruntime"),
                        "{reference} {name}: {}",
                        e.message
                    );
                }
            }
        }
        assert!(
            find("dfl", kernels::find("giou_yolov6").unwrap())
                .err()
                .unwrap()
                .next
                .unwrap()
                .contains("giou_mmdet")
        );
        assert!(
            find("dfl", kernels::find("anchors").unwrap())
                .err()
                .unwrap()
                .next
                .unwrap()
                .contains("no other kernel")
        );
    }
}
