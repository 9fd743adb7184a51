//! How much memory a compiled design holds: an estimate.
//!
//! Walks what was made of the texts and adds up what each value takes in its owner and on the heap. The typed parts of the documents hold the
//! same values as their trees, so they count as the tree's text once more. What several nodes share (a hardware profile) counts for each
//! of them. A test holds the estimate against what the process really grows by.

use std::fmt;

use drydock_model::design::Document;
use drydock_model::finding::{DocumentRef, Finding};
use drydock_model::ingest::Source;
use drydock_model::tree::{Entry, Tree, Value};
use serde::Serialize;
use serde::ser;

use super::CompiledSite;

/// What an allocation takes besides its contents: the allocator's head and its rounding up.
const ALLOCATION: usize = 16;

/// The two counters before the contents of an `Arc`.
const COUNTS: usize = 16;

/// What a value takes in its owner, as a rule: a `String`, a `Vec` and a `BTreeMap` are three words.
const SLOT: usize = 24;

/// Bytes that a compiled design holds.
pub(super) fn of(site: &CompiledSite) -> usize {
    let sources: usize = site.sources.iter().map(source).sum();
    let documents: usize = site.documents.iter().map(document).sum();
    let findings: usize = site.findings.iter().map(finding).sum();
    let by_name = size_of_val(site.by_name.as_slice());
    size_of::<CompiledSite>() + sources + documents + findings + by_name + serialized(&*site.design)
}

fn text(text: &str) -> usize {
    text.len() + ALLOCATION
}

fn source(source: &Source) -> usize {
    size_of::<Source>() + text(&source.name) + text(&source.text) + references(&source.without)
}

fn references(documents: &[DocumentRef]) -> usize {
    let names: usize = documents.iter().map(|document| text(&document.name)).sum();
    size_of_val(documents) + names
}

fn document(document: &Document) -> usize {
    let mut texts = 0;
    let tree = size_of::<Tree>() + COUNTS + tree(&document.tree, &mut texts);
    size_of::<Document>() + text(&document.name) + tree + texts
}

/// What hangs on a tree; `texts` grows by what its texts alone take.
fn tree(tree: &Tree, texts: &mut usize) -> usize {
    let mut shared = |text: &str| {
        *texts += text.len() + SLOT + ALLOCATION;
        text.len() + COUNTS + ALLOCATION
    };
    match &tree.value {
        Value::Null | Value::Bool(_) => 0,
        Value::Integer { text, .. } | Value::Float { text, .. } | Value::String { text, .. } => {
            shared(text)
        }
        Value::Sequence(items) => {
            let below: usize = items.iter().map(|item| self::tree(item, texts)).sum();
            items.capacity() * size_of::<Tree>() + ALLOCATION + below
        }
        Value::Mapping(entries) => {
            let below: usize = entries
                .iter()
                .map(|entry| entry.key.len() + COUNTS + self::tree(&entry.value, texts))
                .sum();
            entries.capacity() * size_of::<Entry>() + ALLOCATION + below
        }
    }
}

fn finding(finding: &Finding) -> usize {
    let texts = [
        &finding.rule,
        &finding.code,
        &finding.message,
        &finding.diagnostic,
    ];
    let texts: usize = texts.into_iter().map(|told| text(told)).sum();
    size_of::<Finding>() + texts + references(&finding.documents) + references(&finding.chain)
}

/// What a value takes by what it would write: every value a slot, every text and list its contents.
fn serialized(value: &impl Serialize) -> usize {
    let mut scale = Scale(0);
    // Only a value that refuses to be written ends this early, and ours do not; then it is what was weighed so far.
    let _ = value.serialize(&mut scale);
    scale.0
}

/// Adds up; writes nothing.
struct Scale(usize);

impl Scale {
    fn slot(&mut self, heap: usize) -> Result<(), Nothing> {
        self.0 += SLOT + heap;
        Ok(())
    }
}

/// What cannot go wrong.
#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value would not be weighed")
    }
}

impl std::error::Error for Nothing {}

impl ser::Error for Nothing {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Nothing
    }
}

macro_rules! slots {
    ($($name:ident($type:ty)),* $(,)?) => {
        $(fn $name(self, _: $type) -> Result<(), Nothing> {
            self.slot(0)
        })*
    };
}

impl ser::Serializer for &mut Scale {
    type Ok = ();
    type Error = Nothing;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    slots! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_f32(f32), serialize_f64(f64), serialize_char(char), serialize_unit_struct(&'static str),
    }

    fn serialize_str(self, value: &str) -> Result<(), Nothing> {
        self.slot(text(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Nothing> {
        self.slot(value.len() + ALLOCATION)
    }

    fn serialize_none(self) -> Result<(), Nothing> {
        self.slot(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Nothing> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Nothing> {
        self.slot(0)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), Nothing> {
        self.slot(0)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Nothing> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Nothing> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Nothing> {
        self.slot(ALLOCATION)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Nothing> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Nothing> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Nothing> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Nothing> {
        self.slot(ALLOCATION)?;
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Nothing> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Nothing> {
        Ok(self)
    }
}

macro_rules! parts {
    ($($trait:ident::$name:ident($($key:ty)?)),* $(,)?) => {
        $(impl ser::$trait for &mut Scale {
            type Ok = ();
            type Error = Nothing;

            fn $name<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Result<(), Nothing> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Nothing> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq::serialize_element(),
    SerializeTuple::serialize_element(),
    SerializeTupleStruct::serialize_field(),
    SerializeTupleVariant::serialize_field(),
    SerializeStruct::serialize_field(&'static str),
    SerializeStructVariant::serialize_field(&'static str),
}

impl ser::SerializeMap for &mut Scale {
    type Ok = ();
    type Error = Nothing;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Nothing> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Nothing> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Nothing> {
        Ok(())
    }
}
