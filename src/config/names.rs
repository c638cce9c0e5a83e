//! names: which names a statement may set, and which it uses.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprContext, Stmt};
use std::collections::BTreeSet;

#[derive(Default)]
struct Names {
    set: BTreeSet<String>,
    used: BTreeSet<String>,
}

impl<'a> Visitor<'a> for Names {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let own = match stmt {
            Stmt::FunctionDef(f) => Some(&f.name),
            Stmt::ClassDef(c) => Some(&c.name),
            _ => None,
        };
        // What a body sets is its own.
        if let Some(own) = own {
            let outer = self.set.clone();
            visitor::walk_stmt(self, stmt);
            self.set = outer;
            self.set.insert(own.to_string());
            return;
        }
        match stmt {
            Stmt::Import(i) => self.set.extend(i.names.iter().map(bound)),
            Stmt::ImportFrom(i) => self.set.extend(i.names.iter().map(bound)),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr {
            let of = match name.ctx {
                ExprContext::Load => &mut self.used,
                _ => &mut self.set,
            };
            of.insert(name.id.to_string());
        }
        visitor::walk_expr(self, expr);
    }
}

/// The name that an import binds.
pub fn bound(alias: &ruff_python_ast::Alias) -> String {
    let name = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
    name.split('.').next().unwrap_or_default().into()
}

/// Names that a statement sets, and that it uses.
pub fn names(stmt: &Stmt) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut names = Names::default();
    names.visit_stmt(stmt);
    (names.set, names.used)
}

/// Names that stand in an expression.
pub fn in_expression(expr: &Expr) -> BTreeSet<String> {
    let mut names = Names::default();
    names.visit_expr(expr);
    names.used
}
