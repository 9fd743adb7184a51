//! The names in a template that nothing defines, found without compiling it.
//!
//! The template language computes what is constant when it compiles, so `'x' * 100000000` takes its memory then. A check compiles nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOpKind, Call, CallArg, CompareOpKind, Expr, IfCond, Macro, Stmt,
};

use super::endless::Around;
use super::paths::{self, Path, Paths, STRICT_FILTERS};

/// What is looked up when it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Applied {
    /// `value | name`
    Filter,
    /// `value is name`
    Test,
}

/// A line, from 1, and what tells two places in it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: u16,
    offset: u32,
}

/// What a template asks for by name.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// Variables that the template does not define itself.
    pub variables: BTreeSet<&'a str>,
    /// Filters and tests, each with its first use.
    pub applied: HashMap<(Applied, &'a str), Place>,
    /// Paths that begin with such a variable.
    pub paths: Paths,
    /// What never ends.
    pub endless: Vec<String>,
}

/// Collects them. The tree must not be deep: this goes down it by calling itself.
pub(super) fn of<'a>(tree: &Stmt<'a>) -> Names<'a> {
    let mut walk = Walk::default();
    walk.frames.push(HashSet::new());
    walk.statement(tree);
    walk.names.endless = walk.around.faults;
    walk.names
}

#[derive(Default)]
struct Walk<'a> {
    names: Names<'a>,
    /// What each scope that is open defines.
    frames: Vec<HashSet<&'a str>>,
    /// How many of them define a name.
    defined: HashMap<&'a str, usize>,
    /// How many conditions, loops and macros there are around this place, any of which may not run it.
    conditions: usize,
    /// How many questions this place is part of, whether a value is there.
    guards: usize,
    around: Around<'a>,
}

impl<'a> Walk<'a> {
    fn define(&mut self, name: &'a str) {
        if self
            .frames
            .last_mut()
            .is_some_and(|frame| frame.insert(name))
        {
            *self.defined.entry(name).or_default() += 1;
        }
    }

    fn within(&mut self, inside: impl FnOnce(&mut Self)) -> HashSet<&'a str> {
        self.frames.push(HashSet::new());
        inside(self);
        let frame = self.frames.pop().unwrap_or_default();
        for name in &frame {
            if let Some(count) = self.defined.get_mut(name) {
                *count -= 1;
            }
        }
        frame
    }

    /// What may not be run on each node.
    fn perhaps<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.conditions += 1;
        let result = inside(self);
        self.conditions -= 1;
        result
    }

    fn statements(&mut self, statements: &[Stmt<'a>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => {
                self.define("self");
                self.statements(&template.children);
            }
            Stmt::EmitExpr(emit) => self.value(&emit.expr, true),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(each) => {
                self.value(&each.iter, true);
                self.around.enter_loop(&each.iter, each.span().start_line);
                self.perhaps(|walk| {
                    walk.within(|walk| {
                        walk.target(&each.target);
                        walk.maybe(each.filter_expr.as_ref());
                        walk.define("loop");
                        walk.statements(&each.body);
                    })
                });
                self.around.leave_loop();
                self.perhaps(|walk| walk.within(|walk| walk.statements(&each.else_body)));
            }
            Stmt::IfCond(condition) => self.condition(condition),
            Stmt::WithBlock(with) => {
                self.within(|walk| {
                    for (target, value) in &with.assignments {
                        walk.expression(value);
                        walk.target(target);
                    }
                    walk.statements(&with.body);
                });
            }
            Stmt::Set(set) => {
                self.expression(&set.expr);
                self.target(&set.target);
            }
            Stmt::SetBlock(set) => {
                self.statements(&set.body);
                self.maybe(set.filter.as_ref());
                self.target(&set.target);
            }
            Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.statements(&escape.body);
            }
            Stmt::FilterBlock(block) => {
                self.statements(&block.body);
                self.expression(&block.filter);
            }
            Stmt::Block(block) => {
                self.within(|walk| {
                    walk.define("super");
                    walk.statements(&block.body);
                });
            }
            Stmt::Import(import) => {
                self.expression(&import.expr);
                self.target(&import.name);
            }
            Stmt::FromImport(import) => {
                self.expression(&import.expr);
                for (name, alias) in &import.names {
                    self.target(alias.as_ref().unwrap_or(name));
                }
            }
            Stmt::Extends(extends) => self.expression(&extends.name),
            Stmt::Include(include) => self.expression(&include.name),
            Stmt::Macro(definition) => {
                self.define(definition.name);
                self.around
                    .enter_macro(definition.name, self.conditions + 1);
                self.definition(definition);
                self.around.leave_macro();
            }
            Stmt::CallBlock(block) => {
                self.call(&block.call);
                self.definition(&block.macro_decl);
            }
            Stmt::Do(act) => self.call(&act.call),
        }
    }

    /// What both branches define is defined from then on; what only one does may not be.
    fn condition(&mut self, condition: &IfCond<'a>) {
        self.value(&condition.expr, true);
        let first = self.perhaps(|walk| walk.within(|walk| walk.statements(&condition.true_body)));
        let second =
            self.perhaps(|walk| walk.within(|walk| walk.statements(&condition.false_body)));
        for name in first.intersection(&second) {
            self.define(name);
        }
    }

    fn definition(&mut self, definition: &Macro<'a>) {
        self.perhaps(|walk| {
            walk.within(|walk| {
                walk.define("caller");
                for argument in &definition.args {
                    walk.target(argument);
                }
                for default in &definition.defaults {
                    walk.expression(default);
                }
                walk.statements(&definition.body);
            })
        });
    }

    /// What is assigned to. An attribute's owner must be there already.
    fn target(&mut self, target: &Expr<'a>) {
        match target {
            Expr::Var(variable) => self.define(variable.id),
            Expr::List(list) => {
                for item in &list.items {
                    self.target(item);
                }
            }
            other => self.expression(other),
        }
    }

    fn maybe(&mut self, expression: Option<&Expr<'a>>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    /// A value that may be missing, though not what it is taken from.
    fn expression(&mut self, expression: &Expr<'a>) {
        self.value(expression, false);
    }

    /// A value; `whole`: the template fails without it.
    fn value(&mut self, expression: &Expr<'a>, whole: bool) {
        match expression {
            Expr::Var(variable) => {
                if self.is_free(variable.id) {
                    self.names.variables.insert(variable.id);
                }
            }
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.value(&slice.expr, true);
                for bound in [&slice.start, &slice.stop, &slice.step] {
                    self.maybe(bound.as_ref());
                }
            }
            Expr::UnaryOp(one) => self.value(&one.expr, true),
            Expr::BinOp(two) if matches!(two.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.value(&two.left, true);
                self.perhaps(|walk| walk.value(&two.right, whole));
            }
            Expr::BinOp(two) => {
                if matches!(two.op, BinOpKind::In) {
                    self.contained(&two.left, &two.right);
                }
                self.expression(&two.left);
                self.expression(&two.right);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                for other in &compare.ops {
                    if matches!(other.op, CompareOpKind::In | CompareOpKind::NotIn) {
                        self.contained(&compare.expr, &other.expr);
                    }
                    self.expression(&other.expr);
                }
            }
            Expr::IfExpr(choice) => {
                self.value(&choice.test_expr, true);
                self.perhaps(|walk| {
                    walk.value(&choice.true_expr, whole);
                    if let Some(otherwise) = &choice.false_expr {
                        walk.value(otherwise, whole);
                    }
                });
            }
            Expr::Filter(filter) => {
                self.apply(Applied::Filter, filter.name, filter.span());
                if let Some(filtered) = &filter.expr {
                    if matches!(filter.name, "default" | "d") {
                        self.guarded(filtered);
                    } else {
                        self.value(filtered, STRICT_FILTERS.contains(&filter.name));
                    }
                }
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.apply(Applied::Test, test.name, test.span());
                if matches!(test.name, "defined" | "undefined") {
                    self.guarded(&test.expr);
                } else {
                    self.expression(&test.expr);
                }
                self.arguments(&test.args);
            }
            Expr::GetAttr(attribute) => {
                if !self.path(expression, whole) {
                    self.value(&attribute.expr, true);
                }
            }
            Expr::GetItem(item) => {
                if !self.path(expression, whole) {
                    self.value(&item.expr, true);
                    self.expression(&item.subscript_expr);
                }
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.expressions(&list.items),
            Expr::Tuple(tuple) => self.expressions(&tuple.items),
            Expr::Map(map) => {
                self.expressions(&map.keys);
                self.expressions(&map.values);
            }
        }
    }

    /// Whether a name is none that the template defines.
    fn is_free(&self, name: &str) -> bool {
        self.defined.get(name).is_none_or(|count| *count == 0)
    }

    /// Takes an expression that is a constant path.
    fn path(&mut self, expression: &Expr<'a>, whole: bool) -> bool {
        let Some((root, names)) = paths::names(expression) else {
            return false;
        };
        if !self.is_free(root) {
            return true;
        }
        self.names.variables.insert(root);
        if self.guards > 0 {
            self.names.paths.ask(names);
        } else {
            self.names.paths.add(Path {
                names,
                line: expression.span().start_line,
                whole,
                conditional: self.conditions > 0,
            });
        }
        true
    }

    fn guarded(&mut self, expression: &Expr<'a>) {
        self.guards += 1;
        self.expression(expression);
        self.guards -= 1;
    }

    /// `'key' in map`, `map.get('key')`: the template asks whether it is there.
    fn contained(&mut self, key: &Expr<'a>, map: &Expr<'a>) {
        if let (Some(key), Some((_, mut names))) = (paths::text(key), paths::names(map)) {
            names.push(key);
            self.names.paths.ask(names);
        }
    }

    fn apply(&mut self, what: Applied, name: &'a str, span: Span) {
        let place = Place {
            line: span.start_line,
            offset: span.start_offset,
        };
        self.names.applied.entry((what, name)).or_insert(place);
    }

    fn expressions(&mut self, expressions: &[Expr<'a>]) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn call(&mut self, call: &Call<'a>) {
        match &call.expr {
            Expr::GetAttr(method) => {
                if let ("get", Some(CallArg::Pos(key))) = (method.name, call.args.first()) {
                    self.contained(key, &method.expr);
                }
                self.value(&method.expr, true);
            }
            called => {
                let line = called.span().start_line;
                self.around.call(call, self.conditions, line);
                self.expression(called);
            }
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[CallArg<'a>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }
}
