//! rule: what optimisers make of a parameter, its gradient and what they keep, element by element, and the other conventions that there are for each part.

use super::Tensors;

/// What a program says of its own rule for one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub rate: f64,
    /// Weight decay: part of the gradient, or taken from the parameter itself.
    pub decay: f64,
    pub decoupled: bool,
    pub with: With,
    pub momentum: Momentum,
    pub root: Root,
    /// Whether Adam's averages are divided by what is missing of them in the first steps.
    pub corrected: bool,
}

/// What the gradient goes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum With {
    Momentum { momentum: f64, nesterov: bool },
    Adam { betas: [f64; 2], eps: f64 },
}

/// How the gradient enters the momentum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Momentum {
    Whole,
    /// By its complement: μv + (1 − μ)g.
    Share,
    /// Times the learning rate, which then does not act a second time.
    Rate,
}

/// Where Adam adds ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    Outside,
    Inside,
    /// To the root of what is not corrected yet.
    Early,
}

impl Rule {
    /// Of the parameter `i` of those with a gradient; None where the program says nothing, or of a rule that is not known here.
    pub fn told(step: &Tensors, i: usize) -> Option<Self> {
        let number = |key: &str| step.get(&format!("rule.{key}"))?.to_f64().get(i).copied();
        let or = |key: &str, or: f64| number(key).unwrap_or(or);
        let betas = number("beta1").zip(number("beta2"));
        let with = match betas.filter(|b| !b.0.is_nan()) {
            Some((a, b)) => With::Adam {
                betas: [a, b],
                eps: number("eps")?,
            },
            None => With::Momentum {
                momentum: or("momentum", 0.0),
                nesterov: or("nesterov", 0.0) != 0.0,
            },
        };
        Some(Self {
            rate: number("rate")?,
            decay: or("decay", 0.0),
            decoupled: or("decoupled", 0.0) != 0.0,
            with,
            momentum: Momentum::Whole,
            root: Root::Outside,
            corrected: true,
        })
    }

    /// The slots that it keeps, by the names of a step.
    pub fn slots(&self) -> &'static [&'static str] {
        match self.with {
            With::Adam { .. } => &["mean", "square"],
            With::Momentum { momentum, .. } if momentum != 0.0 => &["momentum"],
            With::Momentum { .. } => &[],
        }
    }

    /// The parameter and the slots after the step `count`, which starts at 1.
    pub fn next(&self, p: f64, g: f64, slots: [f64; 2], count: f64) -> (f64, [f64; 2]) {
        let (p, g) = match self.decoupled {
            true => (p - self.rate * self.decay * p, g),
            false => (p, g + self.decay * p),
        };
        match self.with {
            With::Momentum { momentum, nesterov } => {
                let enters = match self.momentum {
                    Momentum::Whole => g,
                    // The first step of a fresh buffer is what it is of any other.
                    Momentum::Share => (1.0 - momentum) * g,
                    Momentum::Rate => self.rate * g,
                };
                let v = momentum * slots[0] + enters;
                let moved = if nesterov { enters + momentum * v } else { v };
                let rate = if self.momentum == Momentum::Rate {
                    1.0
                } else {
                    self.rate
                };
                (p - rate * moved, [v, 0.0])
            }
            With::Adam { betas: [a, b], eps } => {
                let [m, v] = [
                    a * slots[0] + (1.0 - a) * g,
                    b * slots[1] + (1.0 - b) * g * g,
                ];
                let by = |beta: f64| {
                    if self.corrected {
                        1.0 - beta.powf(count)
                    } else {
                        1.0
                    }
                };
                let below = match self.root {
                    Root::Outside => (v / by(b)).sqrt() + eps,
                    Root::Inside => (v / by(b) + eps).sqrt(),
                    Root::Early => (v.sqrt() + eps) / by(b).sqrt(),
                };
                (p - self.rate * m / by(a) / below, [m, v])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adam() -> Rule {
        Rule {
            rate: 0.1,
            decay: 0.0,
            decoupled: false,
            with: With::Adam {
                betas: [0.9, 0.999],
                eps: 1e-8,
            },
            momentum: Momentum::Whole,
            root: Root::Outside,
            corrected: true,
        }
    }

    #[test]
    fn the_first_step_of_adam_is_the_rate_and_without_correction_it_is_not() {
        let (p, [m, v]) = adam().next(1.0, 2.0, [0.0; 2], 1.0);
        assert!((p - 0.9).abs() < 1e-8 && (m - 0.2).abs() < 1e-15 && (v - 0.004).abs() < 1e-15);
        let rule = Rule {
            corrected: false,
            ..adam()
        };
        // m/√v = 0.2/√0.004
        assert!((rule.next(1.0, 2.0, [0.0; 2], 1.0).0 - (1.0 - 0.1 * 10f64.sqrt())).abs() < 1e-6);
    }

    #[test]
    fn decay_that_is_decoupled_acts_beside_the_gradient() {
        let sgd = Rule {
            decay: 0.5,
            with: With::Momentum {
                momentum: 0.9,
                nesterov: false,
            },
            ..adam()
        };
        assert_eq!(sgd.next(1.0, 2.0, [1.0, 0.0], 1.0).1[0], 0.9 + 2.5);
        let rule = Rule {
            decoupled: true,
            ..sgd
        };
        let (p, [v, _]) = rule.next(1.0, 2.0, [1.0, 0.0], 1.0);
        assert_eq!(v, 2.9);
        assert!((p - (0.95 - 0.29)).abs() < 1e-15);
    }
}
