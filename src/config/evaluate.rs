//! evaluate: plain expressions: literals, containers, names, arithmetic, comparisons, conditionals and comprehensions.

use super::number::{self, Sum};
use super::run::{Outcome, Run, taint};
use super::value::{At, Entries, Entry, Value};
use indexmap::IndexMap;
use ruff_python_ast::{
    Comprehension, DictItem, Expr, ExprBoolOp, ExprCompare, Number, Operator, UnaryOp,
};
use ruff_text_size::Ranged;

impl Run<'_> {
    /// What an expression comes to; what is not evaluated is listed, and unknown.
    pub fn value(&mut self, e: &Expr) -> Outcome {
        self.spend(e, 1)?;
        match e {
            Expr::NoneLiteral(_) => Ok(Value::None),
            Expr::BooleanLiteral(b) => Ok(Value::Bool(b.value)),
            Expr::NumberLiteral(n) => self.literal(e, &n.value),
            Expr::StringLiteral(s) => Ok(Value::text(s.value.to_str())),
            Expr::FString(f) => self.f_string(e, &f.value),
            Expr::List(l) => Ok(self
                .items(e, &l.elts)?
                .map_or_else(Value::Unknown, Value::list)),
            Expr::Tuple(t) => Ok(self
                .items(e, &t.elts)?
                .map_or_else(Value::Unknown, Value::tuple)),
            Expr::Set(s) => self.set_of(e, &s.elts),
            Expr::Dict(d) => self.dict(e, &d.items),
            Expr::Name(name) => match self.look(&name.id) {
                Some(Value::Foreign(path)) => self.constant(e, &path),
                Some(value) => Ok(value),
                None if super::builtin::BUILTINS.contains(&name.id.as_str()) => {
                    self.missed(e, "a function or module as a value")
                }
                None => self.unbound(e, &name.id),
            },
            Expr::Attribute(a) => match self.path(e) {
                Some(path) => self.constant(e, &path),
                None => {
                    let object = self.value(&a.value)?;
                    self.attribute(e, &object, &a.attr)
                }
            },
            Expr::Subscript(s) => {
                let object = self.value(&s.value)?;
                if let Expr::Slice(slice) = &*s.slice {
                    return self.slice(e, &object, slice);
                }
                let index = self.value(&s.slice)?;
                self.item(e, &object, &index)
            }
            Expr::BinOp(b) => {
                let left = self.value(&b.left)?;
                let right = self.value(&b.right)?;
                self.operation(e, b.op, &left, &right)
            }
            Expr::UnaryOp(u) => {
                let value = self.value(&u.operand)?;
                self.unary(e, u.op, &value)
            }
            Expr::BoolOp(b) => self.bool_op(b),
            Expr::Compare(c) => self.comparison(c),
            Expr::If(i) => {
                let test = self.value(&i.test)?;
                match self.truth(&test) {
                    Some(true) => self.value(&i.body),
                    Some(false) => self.value(&i.orelse),
                    None => self.beyond(e, "a condition that is not known"),
                }
            }
            Expr::ListComp(c) => {
                let items = self.comprehension(e, &c.elt, &c.generators)?;
                Ok(items.map_or_else(Value::Unknown, Value::list))
            }
            Expr::Generator(g) => {
                let items = self.comprehension(e, &g.elt, &g.generators)?;
                Ok(items.map_or_else(Value::Unknown, |items| self.over(e, items, false)))
            }
            Expr::DictComp(c) => self.dict_comprehension(e, c),
            Expr::Call(c) => self.call(e, c),
            _ => self.beyond(e, "no plain expression"),
        }
    }

    /// Not evaluated, and it may change what it names.
    pub fn beyond(&mut self, e: &Expr, why: &str) -> Outcome {
        let by = self.miss(e, why);
        for name in super::names::in_expression(e) {
            self.taint(&name, by);
        }
        Ok(Value::Unknown(by))
    }

    pub fn look(&self, name: &str) -> Option<Value> {
        let local = self.locals.iter().rev().find_map(|scope| scope.get(name));
        let global = || self.globals.get(name).map(|e| &e.value);
        local.or_else(global).cloned()
    }

    fn unbound(&mut self, e: &Expr, name: &str) -> Outcome {
        match name {
            "__name__" => Ok(Value::text("builtins")),
            "__file__" | "__builtins__" => self.missed(e, "a name of the interpreter's"),
            _ => self.raise(e, format!("NameError: name '{name}' is not defined")),
        }
    }

    fn literal(&mut self, e: &Expr, number: &Number) -> Outcome {
        match number {
            Number::Float(x) => Ok(Value::Float(*x)),
            Number::Int(n) => match n.to_string().parse::<i128>() {
                Ok(n) => Ok(Value::Int(n)),
                Err(_) => self.missed(e, "an integer beyond 127 bits"),
            },
            Number::Complex { .. } => self.missed(e, "a complex number"),
        }
    }

    /// The items of a list or tuple; or by what they are unknown.
    fn items(&mut self, e: &Expr, all: &[Expr]) -> Outcome<Result<Vec<Value>, usize>> {
        let mut items = Vec::with_capacity(all.len());
        for item in all {
            let Expr::Starred(s) = item else {
                items.push(self.value(item)?);
                continue;
            };
            let value = self.value(&s.value)?;
            match self.iterate(e, &value)? {
                Some(more) => items.extend(more),
                None => {
                    let own = value.unknown();
                    return Ok(Err(
                        own.unwrap_or_else(|| self.miss(item, "not iterated over"))
                    ));
                }
            }
        }
        Ok(Ok(items))
    }

    fn set_of(&mut self, e: &Expr, all: &[Expr]) -> Outcome {
        let items = match self.items(e, all)? {
            Ok(items) => items,
            Err(by) => return Ok(Value::Unknown(by)),
        };
        let mut set: Vec<Value> = vec![];
        for item in items {
            let hashable = matches!(&item, Value::Str(_) | Value::Int(_) | Value::None);
            if let Some(by) = item.unknown() {
                return Ok(Value::Unknown(by));
            }
            if !hashable {
                return self.missed(e, "a set of other than texts and integers");
            }
            if set
                .iter()
                .all(|known| super::item::equal(known, &item) != Some(true))
            {
                self.spend(e, set.len() / 8)?;
                set.push(item);
            }
        }
        Ok(Value::Set(set.into()))
    }

    fn dict(&mut self, e: &Expr, items: &[DictItem]) -> Outcome {
        let mut entries = Entries::new();
        for item in items {
            let value = self.value(&item.value)?;
            let Some(key) = &item.key else {
                if let Some(by) = self.spread(&item.value, &value, &mut entries)? {
                    return Ok(Value::Unknown(by));
                }
                continue;
            };
            let at = self.at(key);
            let key_value = self.value(key)?;
            match self.key(&key_value) {
                Some(key) => drop(entries.insert(key, Entry { value, at })),
                None => {
                    let own = key_value.unknown();
                    let by =
                        own.unwrap_or_else(|| self.miss(e, "a key that is no text and no integer"));
                    return Ok(Value::Unknown(by));
                }
            }
        }
        Ok(Value::dict(entries))
    }

    /// `**value` into entries; or by what it is unknown.
    pub fn spread(
        &mut self,
        node: &Expr,
        value: &Value,
        into: &mut Entries,
    ) -> Outcome<Option<usize>> {
        if let Some(by) = value.unknown() {
            return Ok(Some(by));
        }
        let Value::Dict(dict) = value else {
            return self.raise(
                node,
                format!("TypeError: '{}' object is not a mapping", value.kind()),
            );
        };
        self.spend(node, dict.shared.get().len())?;
        into.extend(dict.entries());
        Ok(None)
    }

    /// `a op b`.
    pub fn operation(&mut self, node: &impl Ranged, op: Operator, a: &Value, b: &Value) -> Outcome {
        if let Some(by) = a.unknown().or(b.unknown()) {
            return Ok(Value::Unknown(by));
        }
        if number::is_number(a) && number::is_number(b) {
            return match number::arithmetic(op, a, b) {
                Sum::Is(value) => Ok(value),
                Sum::Raises(what) => self.raise(node, what),
                Sum::Beyond => {
                    self.missed(node, "arithmetic beyond 127 bits, or on complex numbers")
                }
            };
        }
        match (op, a, b) {
            (Operator::Add, Value::Str(a), Value::Str(b)) => {
                self.spend(node, (a.len() + b.len()) / 64)?;
                Ok(Value::text(&format!("{a}{b}")))
            }
            (Operator::Add, Value::List(a), Value::List(b)) => {
                let joined = [a.get().as_slice(), b.get().as_slice()].concat();
                self.spend(node, joined.len())?;
                Ok(Value::list(joined))
            }
            (Operator::Add, Value::Tuple(a), Value::Tuple(b)) => {
                let joined = [a.as_slice(), b.as_slice()].concat();
                self.spend(node, joined.len())?;
                Ok(Value::tuple(joined))
            }
            (Operator::Mult, sequence, n) if number::integer(n).is_some() => {
                self.repeated(node, sequence, n)
            }
            (Operator::Mult, n, sequence) if number::integer(n).is_some() => {
                self.repeated(node, sequence, n)
            }
            (Operator::Mod, Value::Str(form), values) => self.percent(node, form, values),
            _ => self.missed(
                node,
                &format!("'{}' of {} and {}", op.as_str(), a.kind(), b.kind()),
            ),
        }
    }

    fn repeated(&mut self, node: &impl Ranged, sequence: &Value, n: &Value) -> Outcome {
        let n = usize::try_from(number::integer(n).unwrap_or(0).max(0)).unwrap_or(usize::MAX);
        let repeat = |run: &mut Self, items: &[Value]| {
            run.spend(node, items.len().saturating_mul(n))?;
            Ok(std::iter::repeat_n(items, n).flatten().cloned().collect())
        };
        match sequence {
            Value::List(items) => Ok(Value::list(repeat(self, &items.get())?)),
            Value::Tuple(items) => Ok(Value::tuple(repeat(self, items)?)),
            Value::Str(text) => {
                self.spend(node, (text.len() / 64 + 1).saturating_mul(n / 8 + 1))?;
                Ok(Value::text(&text.repeat(n)))
            }
            _ => self.missed(node, "a product of what is no number and no sequence"),
        }
    }

    fn unary(&mut self, e: &Expr, op: UnaryOp, value: &Value) -> Outcome {
        if let Some(by) = value.unknown() {
            return Ok(Value::Unknown(by));
        }
        match (op, value) {
            (UnaryOp::Not, _) => match self.truth(value) {
                Some(truth) => Ok(Value::Bool(!truth)),
                None => self.missed(e, "not known whether it is true"),
            },
            (UnaryOp::USub, Value::Float(x)) => Ok(Value::Float(-x)),
            (UnaryOp::UAdd, Value::Float(x)) => Ok(Value::Float(*x)),
            (op, value) => match (op, number::integer(value)) {
                (UnaryOp::USub, Some(n)) => Ok(Value::Int(-n)),
                (UnaryOp::UAdd, Some(n)) => Ok(Value::Int(n)),
                (UnaryOp::Invert, Some(n)) => Ok(Value::Int(!n)),
                _ => self.missed(e, "a sign before what is no number"),
            },
        }
    }

    fn bool_op(&mut self, b: &ExprBoolOp) -> Outcome {
        let mut last = Value::None;
        for operand in &b.values {
            last = self.value(operand)?;
            let ends = match self.truth(&last) {
                Some(truth) => truth == matches!(b.op, ruff_python_ast::BoolOp::Or),
                None => {
                    return self.beyond(&Expr::BoolOp(b.clone()), "a condition that is not known");
                }
            };
            if ends {
                break;
            }
        }
        Ok(last)
    }

    fn comparison(&mut self, c: &ExprCompare) -> Outcome {
        let whole = Expr::Compare(c.clone());
        let mut left = self.value(&c.left)?;
        for (op, right) in c.ops.iter().zip(&c.comparators) {
            let right = self.value(right)?;
            if matches!(right, Value::List(_) | Value::Tuple(_) | Value::Dict(_)) {
                self.measure(&whole, &right)?;
            }
            match self.compare(*op, &left, &right) {
                Some(true) => left = right,
                Some(false) => return Ok(Value::Bool(false)),
                None => return self.beyond(&whole, "a comparison of what is not known"),
            }
        }
        Ok(Value::Bool(true))
    }

    fn comprehension(
        &mut self,
        e: &Expr,
        element: &Expr,
        generators: &[Comprehension],
    ) -> Outcome<Result<Vec<Value>, usize>> {
        let mut items = vec![];
        let whole = self.generate(e, generators, &mut |run| {
            items.push(run.value(element)?);
            Ok(())
        })?;
        Ok(match whole {
            None => Ok(items),
            Some(by) => Err(by),
        })
    }

    fn dict_comprehension(&mut self, e: &Expr, c: &ruff_python_ast::ExprDictComp) -> Outcome {
        let mut entries = Entries::new();
        let at: At = self.at(e);
        let mut bad = None;
        let whole = self.generate(e, &c.generators, &mut |run| {
            let key = run.value(&c.key)?;
            let value = run.value(&c.value)?;
            match run.key(&key) {
                Some(key) => drop(entries.insert(key, Entry { value, at })),
                None => bad = Some(key.unknown()),
            }
            Ok(())
        })?;
        match (whole, bad) {
            (None, None) => Ok(Value::dict(entries)),
            (Some(by), _) | (None, Some(Some(by))) => Ok(Value::Unknown(by)),
            (None, Some(None)) => self.missed(e, "a key that is no text and no integer"),
        }
    }

    /// Calls `each` for every turn of the generators; or says by what they are unknown.
    fn generate(
        &mut self,
        e: &Expr,
        generators: &[Comprehension],
        each: &mut dyn FnMut(&mut Self) -> Outcome<()>,
    ) -> Outcome<Option<usize>> {
        let Some((first, rest)) = generators.split_first() else {
            each(self)?;
            return Ok(None);
        };
        let over = self.value(&first.iter)?;
        let Some(items) = self.iterate(&first.iter, &over)? else {
            let by = self.miss(e, "over what is not known");
            taint(&over, by);
            return Ok(Some(by));
        };
        self.locals.push(IndexMap::new());
        let mut unknown = None;
        for item in items {
            self.assign(&first.target, item)?;
            let mut holds = Some(true);
            for test in &first.ifs {
                let test = self.value(test)?;
                holds = match (holds, self.truth(&test)) {
                    (Some(true), truth) => truth,
                    (known, _) => known,
                };
            }
            match holds {
                Some(true) => unknown = unknown.or(self.generate(e, rest, each)?),
                Some(false) => {}
                None => unknown = Some(self.miss(e, "a condition that is not known")),
            }
        }
        self.locals.pop();
        Ok(unknown)
    }
}
