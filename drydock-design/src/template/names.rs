//! The names in a template that nothing defines, found without compiling it.
//!
//! The template language computes what is constant when it compiles, so `'x' * 100000000` takes its memory then. A check compiles nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use minijinja::machinery::Span;
use minijinja::machinery::ast::{Call, CallArg, Expr, IfCond, Macro, Stmt};

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
}

/// Collects them. The tree must not be deep: this goes down it by calling itself.
pub(super) fn of<'a>(tree: &Stmt<'a>) -> Names<'a> {
    let mut walk = Walk::default();
    walk.frames.push(HashSet::new());
    walk.statement(tree);
    walk.names
}

#[derive(Default)]
struct Walk<'a> {
    names: Names<'a>,
    /// What each scope that is open defines.
    frames: Vec<HashSet<&'a str>>,
    /// How many of them define a name.
    defined: HashMap<&'a str, usize>,
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
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                self.within(|walk| {
                    walk.target(&each.target);
                    walk.maybe(each.filter_expr.as_ref());
                    walk.define("loop");
                    walk.statements(&each.body);
                });
                self.within(|walk| walk.statements(&each.else_body));
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
                self.definition(definition);
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
        self.expression(&condition.expr);
        let first = self.within(|walk| walk.statements(&condition.true_body));
        let second = self.within(|walk| walk.statements(&condition.false_body));
        for name in first.intersection(&second) {
            self.define(name);
        }
    }

    fn definition(&mut self, definition: &Macro<'a>) {
        self.within(|walk| {
            walk.define("caller");
            for argument in &definition.args {
                walk.target(argument);
            }
            for default in &definition.defaults {
                walk.expression(default);
            }
            walk.statements(&definition.body);
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

    fn expression(&mut self, expression: &Expr<'a>) {
        match expression {
            Expr::Var(variable) => {
                if self
                    .defined
                    .get(variable.id)
                    .is_none_or(|count| *count == 0)
                {
                    self.names.variables.insert(variable.id);
                }
            }
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                for bound in [&slice.start, &slice.stop, &slice.step] {
                    self.maybe(bound.as_ref());
                }
            }
            Expr::UnaryOp(one) => self.expression(&one.expr),
            Expr::BinOp(two) => {
                self.expression(&two.left);
                self.expression(&two.right);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                for other in &compare.ops {
                    self.expression(&other.expr);
                }
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                self.maybe(choice.false_expr.as_ref());
            }
            Expr::Filter(filter) => {
                self.apply(Applied::Filter, filter.name, filter.span());
                self.maybe(filter.expr.as_ref());
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.apply(Applied::Test, test.name, test.span());
                self.expression(&test.expr);
                self.arguments(&test.args);
            }
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
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
        self.expression(&call.expr);
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
